"""`edan bag`: the original messages byte for byte, a result for every image, nothing half written.

EDAN_CUTS=200 makes 200 random cuts of each bag instead of a few.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

sys.path.insert(
    0, str(Path(__file__).parents[1] / "sources")
)  # how the tests of sources write bags

from bags import SECOND, STORE, camera_info, compressed, raw, write_bag, write_humble_bag
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from edan_ros.cli.bag import default_output
from edan_ros.cli.main import main
from edan_ros.engines import select_model
from edan_ros.offline.bag import choose_cameras
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.recording.run_info import read_run_info
from edan_ros.sources import SourceError
from edan_ros.sources.bag_reader import BagReader, Message, Topic

CUTS = int(os.environ.get("EDAN_CUTS", "4"))
START = 1_700_000_000 * SECOND
FRONT, CABIN = "/front/image_raw", "/cabin/image_raw/compressed"
COUNT = 20


def recording(count: int = COUNT) -> list[tuple[str, int, Any]]:
    """Two cameras, and a topic of another kind."""
    text = STORE.types["std_msgs/msg/String"]
    messages: list[tuple[str, int, Any]] = []
    for i in range(count):
        stamp = START + i * SECOND // 10
        messages.append((FRONT, stamp + 10, raw(stamp, level=i % 150)))
        messages.append(("/chatter", stamp + 20, text(f"message {i}")))
        messages.append((CABIN, stamp + 30, compressed(stamp + 5, level=i % 150)))
    return messages


WRITERS: dict[str, Callable[[Path], Path]] = {
    "humble": lambda path: write_humble_bag(path, recording()),
    "sqlite3": lambda path: write_bag(path, recording(), "sqlite3"),
    "sqlite3-message": lambda path: write_bag(path, recording(), "sqlite3", "message"),
    "mcap": lambda path: write_bag(path, recording(), "mcap"),
    "mcap-file": lambda path: write_bag(path, recording(), "mcap", "file"),
    "mcap-zstd": lambda path: write_bag(path, recording(), "mcap", "storage"),
}


def read(path: Path) -> dict[str, list[Message]]:
    """The messages of a bag by topic."""
    found: dict[str, list[Message]] = {}
    with BagReader(path) as reader:
        for message in reader.messages():
            found.setdefault(message.topic, []).append(message)
    return found


@pytest.mark.parametrize("kind", WRITERS)
def test_every_image_gets_a_result_beside_the_original_messages(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = WRITERS[kind](tmp_path / "run")
    assert main(["bag", str(bag)]) == 0
    output = capsys.readouterr().out
    assert f"{FRONT} -> /front/faces: {COUNT} images" in output
    before, after = read(bag), read(tmp_path / "run_faces")
    for topic in before:
        assert after[topic] == before[topic]
    assert set(after) - set(before) == {"/front/faces", "/cabin/faces", "/model_info"}
    with BagReader(bag) as old, BagReader(tmp_path / "run_faces") as new:
        assert (new.storage, new.compression) == (old.storage, old.compression)
        assert new.topics[FRONT].qos == old.topics[FRONT].qos
    assert read_run_info(tmp_path / "run_faces").settings["made by"] == "edan bag"
    # Anybody's reader, with nothing but what is in the bag.
    with AnyReader([tmp_path / "run_faces"]) as reader:
        assert {c.msgtype for c in reader.connections if c.topic.endswith("/faces")} == {
            "edan_ros/msg/FaceEmotionArray"
        }
        for topic, images in (("/front/faces", FRONT), ("/cabin/faces", CABIN)):
            results = list(reader.messages([c for c in reader.connections if c.topic == topic]))
            inputs = list(reader.messages([c for c in reader.connections if c.topic == images]))
            assert [t for _, t, _ in results] == [t + 1 for _, t, _ in inputs]
            for result, (connection, _, data) in zip(results, inputs, strict=True):
                array = reader.deserialize(result[2], result[0].msgtype)
                header = reader.deserialize(data, connection.msgtype).header
                assert array.header == header
                assert (array.image_width, array.image_height) == (64, 48)
        (info,) = [r for r in reader.messages() if r[0].topic == "/model_info"]
        model = reader.deserialize(info[2], info[0].msgtype)
        assert (model.name, model.prior_strength) == (select_model().name, np.float32(0.2))


def test_foreign_types_keep_their_definition_or_stay_without(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg("uint8 level\nstring why", "their_msgs/msg/Alarm"))
    alarm = store.types["their_msgs/msg/Alarm"](3, "smoke")
    STORE.register(get_types_from_msg("uint8 level\nstring why", "their_msgs/msg/Alarm"))
    messages = [*recording(3), ("/alarm", START, alarm)]
    for name, bag in (
        ("with", write_bag(tmp_path / "with", messages, "mcap")),
        ("without", write_humble_bag(tmp_path / "without", messages)),
    ):
        assert main(["bag", str(bag)]) == 0
        out = tmp_path / f"{name}_faces"
        assert read(out)["/alarm"] == read(bag)["/alarm"]
        with AnyReader([out]) as reader:
            known = "their_msgs/msg/Alarm" in reader.typestore.fielddefs
            assert known == (name == "with")
            assert "edan_ros/msg/FaceEmotion" in reader.typestore.fielddefs


def bag_with(**kinds: str) -> Any:
    """As much of a reader as is asked for its topics. kinds: of each, __ for / in its name."""
    long = {"raw": "Image", "jpeg": "CompressedImage", "info": "CameraInfo"}
    names = {name.replace("__", "/"): kind for name, kind in kinds.items()}
    topics = {
        f"/{name}": Topic(f"/{name}", f"sensor_msgs/msg/{long[kind]}", 5)
        for name, kind in names.items()
    }
    return SimpleNamespace(path=Path("run1"), topics=topics)


@pytest.mark.parametrize(
    ("there", "named", "expected"),
    [
        ({"image_raw": "raw"}, [], {"/image_raw": "/faces"}),
        (
            {"a__image": "raw", "a__b__image": "raw"},
            [],
            {"/a/image": "/a/faces", "/a/b/image": "/a/b/faces"},
        ),
        (
            {"a__image_raw": "raw", "a__image_raw__compressed": "jpeg"},
            [],
            {"/a/image_raw": "/a/faces"},
        ),
        (
            {"a__image_raw": "raw", "a__image_raw__compressed": "jpeg"},
            ["a/image_raw/compressed"],
            {"/a/image_raw/compressed": "/a/faces"},
        ),
        (
            {"a__left": "raw", "a__right": "raw"},
            [],
            {"/a/left": "/a/left/faces", "/a/right": "/a/right/faces"},
        ),
        ({"a__image": "raw", "a__depth__compressedDepth": "jpeg"}, [], {"/a/image": "/a/faces"}),
    ],
)
def test_results_go_where_the_node_publishes_them(
    there: dict[str, str], named: list[str], expected: dict[str, str]
) -> None:
    cameras = choose_cameras(bag_with(**there), named)
    assert {name: camera.faces for name, camera in cameras.items()} == expected


def test_missing_topics_are_named() -> None:
    with pytest.raises(SourceError, match=r"^run1 has no images on /b, but on /a/image$"):
        choose_cameras(bag_with(a__image="raw"), ["b"])
    with pytest.raises(
        SourceError, match=r"^run1 has no image topic .*; its topics are /a/camera_info$"
    ):
        choose_cameras(bag_with(a__camera_info="info"), [])


def test_results_of_an_earlier_run_are_replaced_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / "run", recording())
    assert main(["bag", str(bag), "--topics", FRONT]) == 0
    first = tmp_path / "run_faces"
    assert main(["bag", str(bag)]) == 1
    assert f"{first} exists already" in capsys.readouterr().err
    assert main(["bag", str(first)]) == 1
    output = capsys.readouterr().err
    assert "holds /front/faces already: give --replace-faces" in output
    assert main(["bag", str(first), "--replace-faces", "--out", str(tmp_path / "new")]) == 0
    assert Counter({k: len(v) for k, v in read(tmp_path / "new").items()}) == {
        FRONT: COUNT, CABIN: COUNT, "/chatter": COUNT,
        "/front/faces": COUNT, "/cabin/faces": COUNT, "/front/model_info": 1, "/model_info": 1,
    }  # fmt: skip
    assert main(["bag", str(bag), "--overwrite"]) == 0
    assert "/cabin/faces" in read(first)


def test_nothing_but_a_bag_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / "run", recording(2))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    for out, why in (("home", "is no bag"), ("run", "is where the recording lies")):
        assert main(["bag", str(bag), "--overwrite", "--out", str(tmp_path / out)]) == 1
        assert why in capsys.readouterr().err
    assert (tmp_path / "home" / "letter").read_text() == "dear"
    assert len(read(bag)[FRONT]) == 2


def test_an_interrupted_run_leaves_no_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = write_bag(tmp_path / "run", recording())
    process, calls = Pipeline.process, []

    def interrupted(self: Pipeline, *args: Any) -> Any:
        calls.append(args)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return process(self, *args)

    monkeypatch.setattr(Pipeline, "process", interrupted)
    assert main(["bag", str(bag)]) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_killed_run_starts_again(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", recording(3000))
    code = f"from edan_ros.cli.main import main; main(['bag', {str(bag)!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    unfinished = tmp_path / ".run_faces.unfinished"
    end = time.monotonic() + 120.0
    while not (unfinished / "run_faces").is_dir() and time.monotonic() < end:
        time.sleep(0.02)
    assert main(["bag", str(bag), "--topics", FRONT]) == 1, "two at a time would mix"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert unfinished.is_dir()
    assert not (tmp_path / "run_faces").exists()
    small = write_bag(tmp_path / "small", recording())
    assert main(["bag", str(small), "--out", str(tmp_path / "run_faces")]) == 0
    assert len(read(tmp_path / "run_faces")["/front/faces"]) == COUNT
    assert not unfinished.exists()


@pytest.mark.parametrize("kind", ["humble", "mcap-zstd"])
def test_all_readable_messages_of_a_cut_bag_are_processed(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = WRITERS[kind](tmp_path / "run")
    (file,) = (path for path in bag.iterdir() if path.suffix != ".yaml")
    whole, dice = file.read_bytes(), random.Random(kind)
    processed = 0
    for _ in range(CUTS):
        file.write_bytes(whole[: dice.randrange(len(whole))])
        code = main(["bag", str(bag), "--overwrite", "--detector", "full_frame"])
        output = capsys.readouterr()
        if code:
            assert output.err.count("\n") == 1
            assert "cannot be read as a bag" in output.err or "no image that can be" in output.err
            continue
        left, done = read(bag), read(tmp_path / "run_faces")
        for topic in left:
            assert done[topic] == left[topic]
        for images, results in ((FRONT, "/front/faces"), (CABIN, "/cabin/faces")):
            assert len(done.get(results, [])) == len(left.get(images, []))
        counts = [
            line for line in output.out.splitlines() if "of its 60 messages can be read" in line
        ]
        assert len(counts) == 1
        processed += 1
    assert processed


def test_images_that_cannot_be_decoded_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [(FRONT, START - 5 + i, raw(START, step=10)) for i in range(2)]
    depth = [("/depth/image", START + i, raw(START, encoding="32FC1")) for i in range(3)]
    assert main(["bag", str(write_bag(tmp_path / "run", bad + depth + recording(4)))]) == 0
    output = capsys.readouterr().out
    assert "/front/faces: 4 images" in output
    assert "; 2 could not be decoded (image step is 10 bytes" in output
    assert "/depth/faces: 0 images; 3 could not be decoded (depth images" in output
    only_bad = write_bag(tmp_path / "bad", bad)
    assert main(["bag", str(only_bad)]) == 1
    assert "not one image can be decoded; nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "bad_faces").exists()


def test_calibrations_that_cannot_be_used_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absurd = [camera_info(START + i) for i in range(3)]
    for info in absurd:
        info.binning_x = 65
    infos = [("/front/camera_info", START + 2 * i, info) for i, info in enumerate(absurd)]
    assert main(["bag", str(write_bag(tmp_path / "run", infos + recording(4)))]) == 0
    output = capsys.readouterr().out
    assert "; 3 calibrations could not be used, so head poses are missing (camera_info" in output
    assert output.count("could not be used") == 1


def test_a_path_that_is_not_a_bag_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.bag").write_text("")
    Path("empty").mkdir()
    for name, why in (
        ("nowhere", "there is no nowhere: give the folder of a bag"),
        ("old.bag", "old.bag is a bag of ROS 1: convert it first"),
        ("empty", "empty cannot be read as a bag"),
    ):
        assert main(["bag", name]) == 1
        output = capsys.readouterr().err
        assert output.startswith(f"edan bag: {why}")
        assert output.count("\n") == 1


def test_the_name_of_the_new_bag() -> None:
    for name, stem in (("a", "a"), ("a.mcap", "a"), ("a_0.db3.zstd", "a_0")):
        assert default_output(Path(f"/tmp/{name}")) == Path(f"/tmp/{stem}_faces")


def test_calibrated_cameras_get_head_poses(tmp_path: Path) -> None:
    """As the node: from the calibration that was recorded before the image."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    woman = np.ascontiguousarray(data.astronaut()[:300, 80:380])
    types, messages = STORE.types, []
    for i in range(4):
        stamp = START + i * SECOND // 10
        head = types["std_msgs/msg/Header"](
            types["builtin_interfaces/msg/Time"](*divmod(stamp, SECOND)), "front"
        )
        image = types["sensor_msgs/msg/Image"](head, 300, 300, "rgb8", 0, 900, woman.ravel())
        messages.append((FRONT, stamp, image))
        if i == 1:
            K = np.array([300.0, 0, 150, 0, 300, 150, 0, 0, 1])
            roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            P = np.array([300.0, 0, 150, 0, 0, 300, 150, 0, 0, 0, 1, 0])
            info = types["sensor_msgs/msg/CameraInfo"](
                head, 300, 300, "plumb_bob", np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi
            )
            messages.append(("/front/camera_info", stamp + 1, info))
    assert main(["bag", str(write_bag(tmp_path / "run", messages, "mcap"))]) == 0
    with AnyReader([tmp_path / "run_faces"]) as reader:
        arrays = [
            reader.deserialize(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic == "/front/faces"
        ]
    assert [array.faces[0].head_pose_valid for array in arrays] == [False, False, True, True]
    assert 0.2 < arrays[-1].faces[0].head_pose.position.z < 1.5
    assert arrays[0].faces[0].label == "happy"


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize(
    ("jump", "text"), [(-3600, "back by 59 min 59 s"), (25_200, "ahead by 7 h")]
)
def test_jumps_of_the_stamps_are_named_and_not_counted_as_time(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    storage: str,
    jump: int,
    text: str,
) -> None:
    stamps = [START + i * SECOND + (jump * SECOND if i >= 3 else 0) for i in range(6)]
    messages = [(FRONT, START + i * SECOND, raw(stamp)) for i, stamp in enumerate(stamps)]
    bag = write_bag(tmp_path / "run", messages, storage)
    assert main(["bag", str(bag)]) == 0
    output = capsys.readouterr().out
    assert f"the stamps jump {text}" in output
    assert "5.0 s of recording in" in output
    assert len(read(tmp_path / "run_faces")["/front/faces"]) == 6


def test_a_bag_whose_recorder_was_killed_is_read_with_its_log(tmp_path: Path) -> None:
    bag = write_humble_bag(tmp_path / "run", recording(1))
    (file,) = bag.glob("*.db3")
    base = sqlite3.connect(file)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    ids = dict(base.execute("SELECT name, id FROM topics"))
    for topic, recorded, message in recording(COUNT)[3:]:
        data = bytes(STORE.serialize_cdr(message, message.__msgtype__))
        row = (ids[topic], recorded, data)
        base.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", row)
    base.commit()
    (bag / "metadata.yaml").unlink()
    assert main(["bag", str(bag)]) == 0
    base.close()
    assert len(read(tmp_path / "run_faces")["/front/faces"]) == COUNT
