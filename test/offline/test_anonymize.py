"""Anonymised bags: faces hidden in every kind of image, all other bytes as they were.

A face is a striped square here, and the detectors look for one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))

from bags import SECOND, STORE, header, raw, write_bag
from streams import GOP, encode
from video_bags import STORE as VIDEO_STORE
from video_bags import TOPICS as VIDEO_TOPICS
from video_bags import message as video_message

from edan_ros.cli.main import main
from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.offline.anonymize import MAX_ROUNDS, Anonymizer
from edan_ros.offline.covers import Finding
from edan_ros.offline.search import FaceSearch, face_search
from edan_ros.recording.bag_writer import BagWriter
from edan_ros.recording.certificate import CERTIFICATE_FILE, read_certificate
from edan_ros.recording.files import RecordingError
from edan_ros.report.from_bag import read_bag
from edan_ros.sources import SourceError
from edan_ros.sources.bag_reader import BagReader, Message
from edan_ros.sources.h264 import nal_units
from edan_ros.sources.video_packets import FFMPEG_PACKET, FOXGLOVE_VIDEO, ImageDecoder

START = 1_700_000_000 * SECOND
FRONT, CABIN, DEPTH = "/front/image_raw", "/cabin/image_raw/compressed", "/depth/image_raw"
COUNT = 10
T = STORE.types


def scene(number: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A dark image with a striped square that moves; from COUNT on without it."""
    pixels = np.full((height, width, 3), 40 + number % 5, np.uint8)
    if number < COUNT:
        x = 20 + 4 * number
        pixels[24:38, x : x + 14] = np.where(np.arange(14) % 4 < 2, 255, 0)[:, None]
    return pixels


def squares(image: Image) -> list[Finding]:
    """The striped square of an image."""
    edges = np.abs(np.diff(image.gray().astype(int), axis=1)) > 110
    if edges.sum() < 30:
        return []
    x, y, width, height = cv2.boundingRect(edges.astype(np.uint8))
    return [Finding("fake", Box(x + 1, y, width - 1, height), 0.9)]


def find(_topic: str, image: Image, _seconds: float) -> list[Finding]:
    return squares(image)


def jpeg(number: int, stamp: int) -> Any:
    data = cv2.imencode(".jpg", scene(number), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return T["sensor_msgs/msg/CompressedImage"](header(stamp), "jpeg", data.ravel())


def plain(number: int, stamp: int) -> Any:
    pixels = scene(number)
    return raw(stamp, height=64, width=96, step=288, data=pixels.ravel())


def depth(stamp: int) -> Any:
    data = np.arange(96, dtype=np.uint8)
    return raw(stamp, height=6, width=8, step=16, encoding="16UC1", data=data)


def recording(count: int = COUNT + 8) -> list[tuple[str, int, Any]]:
    """Two cameras, depth, points and text at 10 Hz; a face in the first COUNT images of each."""
    points = T["sensor_msgs/msg/PointCloud2"]
    messages: list[tuple[str, int, Any]] = []
    for i in range(count):
        stamp = START + i * SECOND // 10
        cloud = points(header(stamp), 1, 1, [], False, 4, 4, np.zeros(4, np.uint8), True)
        messages += [
            (FRONT, stamp + 10, plain(i, stamp)),
            ("/chatter", stamp + 20, T["std_msgs/msg/String"](f"message {i}")),
            (CABIN, stamp + 30, jpeg(i, stamp + 5)),
            (DEPTH, stamp + 40, depth(stamp)),
            ("/points", stamp + 50, cloud),
        ]
    return messages


def read(path: Path) -> dict[str, list[Message]]:
    with BagReader(path) as reader:
        found: dict[str, list[Message]] = {name: [] for name in reader.topics}
        for message in reader.messages():
            found[message.topic].append(message)
    return found


def images(path: Path, topic: str) -> list[tuple[Any, Image]]:
    with BagReader(path) as reader:
        decoder: ImageDecoder[Any] = ImageDecoder()
        found = []
        for message in reader.messages([topic]):
            record = reader.deserialize(message)
            found += decoder.decode(record, record)
        return found + decoder.flush()


def anonymize_bag(bag: Path, out: Path, **changed: Any) -> dict[str, Any]:
    arguments = {"find": find, "check": squares, "detectors": {"fake": 0.6}} | changed
    mode = arguments.pop("mode", "blur")
    return Anonymizer(bag, out, mode, **arguments).run()


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        ("sqlite3", "none"),
        ("sqlite3", "message"),
        ("mcap", "none"),
        ("mcap", "file"),
        ("mcap", "storage"),
    ],
)
def test_faces_are_hidden_and_everything_else_is_kept_byte_for_byte(
    tmp_path: Path, storage: str, compression: str
) -> None:
    bag = write_bag(tmp_path / "run", recording(), storage, compression)
    certificate = anonymize_bag(bag, tmp_path / "out")
    before, after = read(bag), read(tmp_path / "out")
    for topic in ("/chatter", DEPTH, "/points"):
        assert after[topic] == before[topic]
    for topic in (FRONT, CABIN):
        assert [m.time for m in after[topic]] == [m.time for m in before[topic]]
        assert after[topic][-2:] == before[topic][-2:], "images without a face"
        originals = images(bag, topic)
        for (old, seen), (new, hidden) in zip(
            originals, images(tmp_path / "out", topic), strict=True
        ):
            assert new.header == old.header
            assert not squares(hidden)
            difference = np.abs(hidden.bgr()[:, -12:].astype(int) - seen.bgr()[:, -12:])
            assert difference.max() <= (0 if topic == FRONT else 4)
    with BagReader(bag) as old_bag, BagReader(tmp_path / "out") as new_bag:
        assert new_bag.topics == old_bag.topics
        assert (new_bag.storage, new_bag.compression) == (old_bag.storage, old_bag.compression)
    assert certificate["found_after"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_the_certificate_says_what_was_found_and_what_was_not_examined(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", recording(), "mcap")
    anonymize_bag(bag, tmp_path / "out")
    text = (tmp_path / "out" / CERTIFICATE_FILE).read_text()
    certificate = json.loads(text)
    files = {p.name: p for p in (tmp_path / "out").iterdir() if p.name != CERTIFICATE_FILE}
    assert certificate["sha256"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    assert (certificate["mode"], certificate["rounds"]) == ("blur", 1)
    front = certificate["topics"][FRONT]
    assert (front["images"], front["found_before"]) == (COUNT + 8, {"fake": COUNT})
    assert front["images_with_hidden_heads"] == COUNT + 5, "half a second longer"
    (track,) = front["tracks"]
    assert (track["first_stamp_ns"], track["found_by"]) == (START, {"fake": COUNT})
    assert track["first_box"] == [20.0, 24.0, 14.0, 14.0]
    assert certificate["not_examined"] == {
        DEPTH: "sensor_msgs/msg/Image, depth",
        "/points": "sensor_msgs/msg/PointCloud2, points",
    }
    assert certificate["copied"]["/chatter"] == "std_msgs/msg/String"


@pytest.mark.parametrize("mode", ["blur", "avatar"])
def test_a_detector_that_misses_every_third_image_leaves_none_uncovered(
    tmp_path: Path, mode: str
) -> None:
    bag = write_bag(tmp_path / "run", recording())
    calls: dict[str, int] = {}

    def misses(topic: str, image: Image, _seconds: float) -> list[Finding]:
        calls[topic] = number = calls.get(topic, -1) + 1
        return [] if number % 3 == 0 else squares(image)

    assert anonymize_bag(bag, tmp_path / "out", find=misses, mode=mode)["rounds"] == 1
    for topic in (FRONT, CABIN):
        assert not any(squares(image) for _, image in images(tmp_path / "out", topic))


@pytest.mark.parametrize("kind", [FFMPEG_PACKET, FOXGLOVE_VIDEO])
@pytest.mark.parametrize(("codec", "reordered"), [("h264", False), ("h264", True), ("hevc", False)])
def test_videos_keep_stamps_key_frames_and_the_number_of_packets(
    tmp_path: Path, kind: str, codec: str, reordered: bool
) -> None:
    packets = encode(codec, [scene(i) for i in range(2 * GOP)], reordered=reordered)
    topic = VIDEO_TOPICS[kind]
    messages = [
        (
            topic,
            START + order * SECOND // 10,
            video_message(kind, START + number * SECOND // 10, data, codec),
        )
        for order, (number, data) in enumerate(packets.items())
    ]
    bag = write_bag(tmp_path / "run", messages, "mcap", store=VIDEO_STORE)
    anonymize_bag(bag, tmp_path / "out")
    before, after = images(bag, topic), images(tmp_path / "out", topic)
    assert len(after) == len(before) == 2 * GOP
    for (old, seen), (new, hidden) in zip(before, after, strict=True):
        for name in ("header", "timestamp", "frame_id", "encoding", "format", "width", "pts"):
            assert getattr(new, name, None) == getattr(old, name, None)
        assert not squares(hidden)
        assert np.abs(hidden.bgr()[:, -12:].astype(int) - seen.bgr()[:, -12:]).mean() < 3
    times = [[m.time for m in read(path)[topic]] for path in (bag, tmp_path / "out")]
    assert times[0] == times[1]
    with BagReader(tmp_path / "out") as reader:
        data = [bytes(reader.deserialize(m).data) for m in reader.messages([topic])]
    parameters = [
        any((u[0] & 31 == 7) if codec == "h264" else (u[0] >> 1 & 63 == 33) for u in nal_units(d))
        for d in data
    ]
    assert [i for i, begins in enumerate(parameters) if begins] == [0, GOP]


def test_a_video_without_a_face_is_copied(tmp_path: Path) -> None:
    packets = encode("h264", [scene(COUNT + i) for i in range(4)])
    topic = VIDEO_TOPICS[FFMPEG_PACKET]
    messages = [
        (topic, START + n, video_message(FFMPEG_PACKET, START + n, data, "h264"))
        for n, data in packets.items()
    ]
    bag = write_bag(tmp_path / "run", messages, "mcap", store=VIDEO_STORE)
    anonymize_bag(bag, tmp_path / "out")
    assert read(tmp_path / "out") == read(bag)


def test_a_face_found_again_is_hidden_in_the_next_round(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", recording())

    def blind(topic: str, image: Image, _seconds: float) -> list[Finding]:
        return [] if topic == FRONT else squares(image)

    certificate = anonymize_bag(bag, tmp_path / "out", find=blind)
    assert certificate["rounds"] == 2
    assert not any(squares(image) for _, image in images(tmp_path / "out", FRONT))


def test_avatars_are_not_counted_as_people(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", recording())

    def with_landmarks(_topic: str, image: Image, _seconds: float) -> list[Finding]:
        return [
            Finding("tracker", f.box, landmarks=np.float32(MEAN_SHAPE * 14 + f.box.center))
            for f in squares(image)
        ]

    def skin(image: Image) -> list[Finding]:
        found = (image.bgr() == (176, 198, 218)).all(axis=2).astype(np.uint8)
        return [Finding("skin", Box(*cv2.boundingRect(found)))] if found.sum() > 20 else []

    options = {"find": with_landmarks, "check": skin, "detectors": {"skin": 0.6}}
    certificate = anonymize_bag(bag, tmp_path / "out", mode="avatar", **options)
    assert certificate["found_after"] == []
    assert certificate["avatars_found"]["skin"] >= COUNT


def fake_search(check: Callable[[Image], list[Finding]] = squares) -> Callable[[Any], Any]:
    search = SimpleNamespace(names=["fake"], threshold=0.6, find=find, check=check)
    return lambda _settings: search


def test_a_face_that_remains_gives_another_name_and_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everywhere = [Finding("fake", Box(5.0, 6.0, 10.0, 10.0), 0.75)]
    monkeypatch.setattr(
        "edan_ros.offline.search.face_search", fake_search(lambda _image: everywhere)
    )
    bag = write_bag(tmp_path / "run", recording(3))
    assert main(["bag", str(bag), "--privacy", "blur"]) == 1
    output = capsys.readouterr()
    assert "do not share" in output.err
    assert not (tmp_path / "run_anonymized").exists()
    certificate = read_certificate(tmp_path / "run_anonymized_faces_remain")
    assert certificate is not None
    assert (certificate["rounds"], len(certificate["found_after"])) == (MAX_ROUNDS, 6)
    first = {"box": [5.0, 6.0, 10.0, 10.0], "detector": "fake", "score": 0.75}
    assert certificate["found_after"][0] == {"topic": FRONT, "stamp_ns": START, **first}


def test_the_command_lists_what_is_not_examined_and_the_report_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edan_ros.offline.search.face_search", fake_search())
    bag = write_bag(tmp_path / "run", recording(4))
    assert main(["bag", str(bag), "--privacy", "avatar"]) == 0
    line = (
        "Anonymised (avatar): heads hidden in 8 of 8 images, no face found again by fake. Not "
        f"examined: {DEPTH} (sensor_msgs/msg/Image, depth), /points (sensor_msgs/msg/PointCloud2, "
        "points)."
    )
    assert line in capsys.readouterr().out
    new = tmp_path / "run_anonymized"
    assert main(["bag", str(new), "--topics", FRONT]) == 0
    assert line in read_bag(tmp_path / "run_anonymized_faces").notes
    assert main(["bag", str(bag), "--privacy", "avatar"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["bag", str(bag), "--drop-topics", DEPTH]) == 1
    assert "--privacy" in capsys.readouterr().err


def test_topics_that_cannot_be_anonymised_are_refused_until_they_are_dropped(
    tmp_path: Path,
) -> None:
    floats = raw(START, height=1, width=1, step=12, encoding="32FC3", data=np.zeros(12, np.uint8))
    messages = [*recording(2), ("/odd", START, floats)]
    bag = write_bag(tmp_path / "run", messages)
    with pytest.raises(SourceError, match=r"/odd: not one image .*32FC3.*--drop-topics /odd"):
        anonymize_bag(bag, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    certificate = anonymize_bag(bag, tmp_path / "out", drop=["/odd"])
    assert certificate["left_out"] == ["/odd"]
    assert "/odd" not in read(tmp_path / "out")
    with pytest.raises(SourceError, match="has no /typo"):
        anonymize_bag(bag, tmp_path / "out", drop=["/typo"])


def test_pictures_of_a_type_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    kind = "foxglove_msgs/msg/RawImage"
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg("uint8[] data", kind))
    picture = store.types[kind](np.zeros(4, np.uint8))
    messages = [("/fox", START, picture), (FRONT, START, plain(0, START))]
    bag = write_bag(tmp_path / "run", messages, store=store)
    with pytest.raises(SourceError, match=f"/fox is a {kind}, which .* --drop-topics /fox"):
        anonymize_bag(bag, tmp_path / "out")


def test_an_image_that_cannot_be_decoded_is_left_out(tmp_path: Path) -> None:
    cut = jpeg(0, START)
    cut.data = cut.data[:40]
    bag = write_bag(tmp_path / "run", [*recording(3), (CABIN, START + SECOND, cut)])
    certificate = anonymize_bag(bag, tmp_path / "out")
    assert len(read(tmp_path / "out")[CABIN]) == 3
    assert sum(certificate["topics"][CABIN]["undecoded_and_left_out"].values()) == 1


def test_a_thermal_camera_is_anonymised_where_its_topic_is_named(tmp_path: Path) -> None:
    levels = np.full((64, 96), 3000, "<u2")
    levels[20:34, 30:44] = 9000
    thermal = raw(
        START, height=64, width=96, step=192, encoding="16UC1", data=levels.view(np.uint8).ravel()
    )
    bag = write_bag(tmp_path / "run", [("/thermal", START, thermal)])

    def warm(image: Image) -> list[Finding]:
        found = (image.gray() > 2.2 * np.median(image.gray())).astype(np.uint8)
        return [Finding("fake", Box(*cv2.boundingRect(found)))] if found.sum() > 100 else []

    options = {"find": lambda _topic, image, _seconds: warm(image), "check": warm}
    kept = anonymize_bag(bag, tmp_path / "kept", **options)
    assert kept["not_examined"] == {"/thermal": "sensor_msgs/msg/Image, depth"}
    assert read(tmp_path / "kept") == read(bag)
    named = anonymize_bag(bag, tmp_path / "named", named=["/thermal"], **options)
    assert (named["not_examined"], named["found_after"]) == ({}, [])
    ((record, _),) = images(tmp_path / "named", "/thermal")
    samples = np.frombuffer(record.data.tobytes(), "<u2").reshape(64, 96)
    assert samples[20:34, 30:44].max() < 9000
    assert (samples[:, 70:] == 3000).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RecordingError("the disk is full")])
@pytest.mark.parametrize("method", ["write", "complete"])
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any, method: str
) -> None:
    bag = write_bag(tmp_path / "run", recording(2))

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(BagWriter, method, fail)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        anonymize_bag(bag, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


class FakeDetector:
    """Gives the same detections for every image."""

    name, every_image = "fake", False

    def __init__(self, *scores: float) -> None:
        self._found = [Detection(Box(10.0 * i, 0.0, 8.0, 8.0), s) for i, s in enumerate(scores)]

    def detect(self, _image: Image) -> list[Detection]:
        return self._found


def test_the_first_pass_takes_weak_faces_and_the_check_those_of_normal_use() -> None:
    search = FaceSearch({"a": FakeDetector(0.9, 0.3), "b": FakeDetector(0.7)}, 0.6)
    image = Image(scene(0))
    found = [(f.detector, f.score) for f in search.find(FRONT, image, 0.0)]
    assert found == [("a", 0.9), ("a", 0.3), ("b", 0.7)]
    assert [(f.detector, f.score) for f in search.check(image)] == [("a", 0.9), ("b", 0.7)]


def test_the_detectors_of_the_package_search_without_any_setting() -> None:
    search = face_search({})
    assert search.names == ["edan", "haar"]
    empty = Image(np.full((120, 160, 3), 90, np.uint8))
    assert search.find(FRONT, empty, 0.0) == search.check(empty) == []
