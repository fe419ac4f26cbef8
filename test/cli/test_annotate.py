"""`edan annotate`: times, sound and rotation of a video are kept, and people anonymised."""

from __future__ import annotations

import csv
import json
import re
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))  # how the tests of sources write

from bags import SECOND, raw, write_bag
from clips import bright_corner, corner_picture, write_video

from edan_ros.cli._output import expected_images
from edan_ros.cli.main import main
from edan_ros.core.emotions import EMOTIONS
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.sources import create_source

RATE = 16_000


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def woman() -> np.ndarray:
    """(300, 300, 3) bgr: she smiles; her face is around (145, 115)."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380]


def frames_of(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    return [f.time for f in decoded], [f.to_ndarray(format="bgr24") for f in decoded]


def tone(path: Path) -> tuple[np.ndarray, str]:
    """The samples of a video's sound, and its codec."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        parts = [f.to_ndarray().mean(axis=0) for f in container.decode(stream)]
        return np.concatenate(parts), stream.codec.canonical_name


def with_sound(path: Path, codec: str, times_ms: list[int], begins_ms: int = 0) -> Path:
    """Images at these times, and silence with a second of a tone from 1 s on.

    begins_ms: when the first image is shown, after the sound has begun.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream(codec, rate=RATE, layout="mono")
        for time in times_ms:
            frame = av.VideoFrame.from_ndarray(corner_picture(), format="bgr24")
            frame.pts, frame.time_base = begins_ms + time, Fraction(1, 1000)
            container.mux(video.encode(frame))
        seconds = np.arange(3 * RATE) / RATE
        wave = np.where((seconds >= 1) & (seconds < 2), np.sin(2 * np.pi * 440 * seconds), 0)
        for at in range(0, len(wave), 800):
            samples = (20_000 * wave[None, at : at + 800]).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.pts, frame.sample_rate, frame.time_base = at, RATE, Fraction(1, RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
        container.mux(video.encode())
    return path


def test_a_variable_frame_rate_is_kept(tmp_path: Path, out: Path) -> None:
    times = [0, 40, 80, 300, 340, 1000, 1020]
    clip = write_video(tmp_path / "clip.mp4", times)
    assert main(["annotate", str(clip), "--out", str(out)]) == 0
    assert frames_of(out / "annotated.mp4")[0] == pytest.approx([t / 1000 for t in times], abs=1e-3)
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [line["stamp"] for line in lines] == pytest.approx([t / 1000 for t in times], abs=1e-3)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_video_is_turned_upright(tmp_path: Path, out: Path, rotation: int) -> None:
    clip = write_video(tmp_path / "clip.mp4", [0, 40, 80], rotation=rotation)
    assert main(["annotate", str(clip), "--out", str(out)]) == 0
    _, frames = frames_of(out / "annotated.mp4")
    assert frames[0].shape[:2] == ((64, 48) if rotation != 180 else (48, 64))
    # Degrees counter-clockwise: the bright corner was at the upper left.
    expected = {90: ("bottom", "left"), 180: ("bottom", "right"), 270: ("top", "right")}
    assert bright_corner(frames[0]) == expected[rotation]


@pytest.mark.parametrize(
    ("codec", "ending"), [("aac", "mp4"), ("pcm_s16le", "mov"), ("mp3", "mkv")]
)
@pytest.mark.parametrize("begins_ms", [0, 500])
def test_sound_is_kept_in_step(
    tmp_path: Path, out: Path, codec: str, ending: str, begins_ms: int
) -> None:
    clip = with_sound(tmp_path / f"clip.{ending}", codec, [*range(0, 2500, 40)], begins_ms)
    assert main(["annotate", str(clip), "--out", str(out)]) == 0
    samples, kept = tone(out / "annotated.mp4")
    assert kept == ("aac" if codec.startswith("pcm") else codec)
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max()) / RATE
    # The tone began 1 s after the sound; encoders add some silence of their own.
    assert loud[0] == pytest.approx(1.0 - begins_ms / 1000, abs=0.08)
    assert loud[-1] == pytest.approx(2.0 - begins_ms / 1000, abs=0.08)


def test_sound_of_a_rate_that_aac_lacks(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "RATE", 11024)  # as some cameras record
    clip = with_sound(tmp_path / "clip.avi", "pcm_s16le", [*range(0, 2500, 40)])
    assert main(["annotate", str(clip), "--out", str(out)]) == 0
    with av.open(str(out / "annotated.mp4")) as container:
        (stream,) = container.streams.audio
        assert stream.rate == 11025
        assert float(stream.duration * stream.time_base) == pytest.approx(2.5, abs=0.2)


def test_a_run_does_not_replace_the_video_that_it_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_video(tmp_path / "annotated.mp4", [0, 40, 80])
    before = clip.read_bytes()
    assert main(["annotate", str(clip), "--out", str(tmp_path)]) == 1
    assert "would be replaced: name another folder" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_sound_ends_with_the_images(tmp_path: Path, out: Path) -> None:
    clip = with_sound(tmp_path / "clip.mp4", "aac", [*range(0, 2500, 40)])
    assert main(["annotate", str(clip), "--out", str(out), "--seconds", "1.2"]) == 0
    assert frames_of(out / "annotated.mp4")[0][-1] == pytest.approx(1.2, abs=0.05)
    assert len(tone(out / "annotated.mp4")[0]) / RATE == pytest.approx(1.3, abs=0.15)


def test_images_of_two_folders_and_a_table(
    tmp_path: Path, out: Path, woman: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, image in (("a/1", woman), ("b/1", woman[:, ::-1]), ("b/2", np.zeros_like(woman))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    (tmp_path / "b" / "3.png").write_bytes(b"no picture")
    assert main(["annotate", f"{tmp_path}/*/*.png", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3.png is not an image" in printed
    assert f"{out / '1.jpg'}  ...  {out / '2.jpg'}" in printed.replace("\n", " ")
    assert {p.name for p in out.glob("*.jpg")} == {"1.jpg", "1_2.jpg", "2.jpg"}
    drawn = cv2.imread(str(out / "1.jpg"))
    changed = (np.abs(drawn.astype(int) - woman) > 40).any(axis=2)
    assert changed[60:170, 90:200].any(), "landmarks and box"
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [(line["file"], len(line["faces"])) for line in lines] == [
        ("1.png", 1), ("1.png", 1), ("2.png", 0),
    ]  # fmt: skip
    with (out / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["1.png", "1.png"]
    assert rows[0]["label"] == "happy"
    assert sum(float(rows[0][name]) for name in EMOTIONS) == pytest.approx(1.0, abs=1e-3)
    assert rows[0]["polarity"] == "positive"
    assert rows[0]["head_pose_assumed_lens"] == "true", "not calibrated"
    assert abs(float(rows[0]["yaw"])) < 30
    assert {row["stamp"] for row in rows} == {""}
    assert [line["stamp"] for line in lines] == [None] * 3
    assert 100 < float(rows[0]["x"]) + float(rows[0]["width"]) / 2 < 190


def test_an_image_and_its_folder_are_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), corner_picture())
    before = (tmp_path / "a.jpg").read_bytes()
    for source in ("a.jpg", ".", "*.jpg", "**/*.jpg"):
        assert main(["annotate", str(tmp_path / source), "--out", str(tmp_path)]) == 1
        assert "holds the images: name another folder" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == before


def test_a_bag_becomes_a_video(tmp_path: Path, out: Path) -> None:
    start = 1_700_000_000 * SECOND
    bag = write_bag(
        tmp_path / "bag",
        [("/i", start + i * SECOND // 10, raw(start + i * SECOND // 10)) for i in range(5)],
    )
    assert main(["annotate", str(bag), "--out", str(out)]) == 0
    assert frames_of(out / "annotated.mp4")[0] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
    stamps = [json.loads(x)["stamp"] for x in (out / "faces.jsonl").read_text().splitlines()]
    assert stamps[0] == 1_700_000_000


@pytest.mark.parametrize("mode", ["blur", "landmarks-only"])
def test_people_are_anonymized(tmp_path: Path, out: Path, woman: np.ndarray, mode: str) -> None:
    image = tmp_path / "woman.png"
    cv2.imwrite(str(image), woman)
    folder = tmp_path / "plain"
    assert main(["annotate", str(image), "--out", str(folder)]) == 0
    assert main(["annotate", str(image), "--out", str(out), "--privacy", mode]) == 0
    face = (slice(125, 150), slice(110, 135))  # a cheek, where no landmark is drawn
    plain, covered = (cv2.imread(str(p / "woman.jpg"))[face] for p in (folder, out))
    likeness = np.abs(covered.astype(int) - woman[face]).mean()
    assert likeness > np.abs(plain.astype(int) - woman[face]).mean() + 5
    assert (out / "faces.jsonl").read_text() == (folder / "faces.jsonl").read_text()


def test_an_interrupted_run_keeps_its_results(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_video(tmp_path / "clip.mp4", [*range(0, 1000, 40)])
    process, calls = Pipeline.process, []

    def interrupted(self: Pipeline, *args: object) -> object:
        calls.append(args)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return process(self, *args)

    monkeypatch.setattr(Pipeline, "process", interrupted)
    assert main(["annotate", str(clip), "--out", str(out), "--privacy", "blur"]) == 130
    assert len(frames_of(out / "annotated.mp4")[0]) == 10
    assert len((out / "faces.jsonl").read_text().splitlines()) == 10


def test_wrong_sources_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: Path
) -> None:
    assert main(["annotate", str(tmp_path / "nope.mp4"), "--out", str(out)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
    assert expected_images(create_source("demo"), 2.0) is not None


def test_losses_of_a_bag_and_jumps_of_its_stamps_are_noted(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten images cannot be decoded, the clock is set back, and metadata promises more."""
    messages = [("/cam/image_raw", SECOND * i, raw(SECOND * i, step=10)) for i in range(1, 11)]
    stamps = [SECOND * i for i in (4000, 4001, 401, 402)]
    messages += [("/cam/image_raw", SECOND * (20 + i), raw(s)) for i, s in enumerate(stamps)]
    bag = write_bag(tmp_path / "bag", messages)
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 14", "message_count: 16"))
    assert main(["annotate", str(bag), "--out", str(out)]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "14 of the 16 messages that metadata.yaml promises on /cam/image_raw were read" in output
    assert "the stamps jump back by 1 h 0 min" in output
    times, _ = frames_of(out / "annotated.mp4")
    assert times == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.01)


def photo(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return path


def animation(path: Path, images: list[np.ndarray], codec: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = {"gif": "rgb8"}.get(codec, "yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *images[0].shape[1::-1], pixels
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def names_in(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".edan.lock")
    return {str(path.relative_to(folder)) for path in files}


RUN = {"faces.jsonl", "faces.csv", "run.json"}


def test_any_number_of_inputs_of_all_kinds(
    tmp_path: Path, out: Path, woman: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per input; what is left out is named; several recordings get a folder each."""
    album = tmp_path / "album"
    photo(album / "b.png", woman)
    photo(album / "inside" / "c.jpg", np.zeros_like(woman))
    write_video(album / "clip.mp4", [0, 40, 80])
    animation(album / "still.gif", [woman], "gif")
    animation(album / "moving.gif", [woman, woman[:, ::-1]], "gif")
    (album / "notes.txt").write_text("no picture")
    single = photo(tmp_path / "a.jpg", woman)
    assert main(["annotate", str(single), str(album), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert any(re.fullmatch(r"a.jpg: 1 face, happy \d+ %", line) for line in lines), printed
    assert any(line.startswith("still.gif: 1 face, ") for line in lines), printed
    assert any(line.startswith("clip.mp4: 3 images, no face, ") for line in lines), printed
    assert any(line.startswith("moving.gif: 2 images, 1 track, ") for line in lines), printed
    assert "3 images, 3 faces in all" in printed
    assert "neither image nor video: notes.txt" in printed
    assert "give -r for folders inside: inside" in printed
    videos = {f"{name}/{file}" for name in ("clip", "moving") for file in RUN | {"annotated.mp4"}}
    assert names_in(out) == {"a.jpg", "b.jpg", "still.jpg"} | RUN | videos
    # The next run removes what belongs to this one, and nothing else.
    (out / "mine.jpg").write_text("not of a run")
    assert main(["annotate", "-r", str(album / "inside"), "--out", str(out)]) == 0
    assert "c.jpg: no face" in capsys.readouterr().out
    assert names_in(out) == {"c.jpg", "mine.jpg"} | RUN
    assert {path.name for path in out.iterdir() if path.is_dir()} == set()


def test_avif_is_read(tmp_path: Path, out: Path, woman: np.ndarray, capsys) -> None:
    good, data = cv2.imencode(".avif", woman) if cv2.haveImageWriter("a.avif") else (False, None)
    if not good or "libdav1d" not in av.codecs_available:
        pytest.skip("OpenCV or FFmpeg has no AVIF here")
    (tmp_path / "a.avif").write_bytes(data.tobytes())
    assert main(["annotate", str(tmp_path / "a.avif"), "--out", str(out)]) == 0
    assert "a.avif: 1 face, happy" in capsys.readouterr().out


def test_subfolders_are_read_with_r_but_not_earlier_results(
    tmp_path: Path, woman: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "b" / "1.png", woman)
    photo(tmp_path / "1.png", woman)
    for _ in range(2):
        assert main(["annotate", "-r", "."]) == 0
        lines = (tmp_path / "annotated" / "faces.jsonl").read_text().splitlines()
        assert [json.loads(line)["file"] for line in lines] == ["1.png", "b/1.png"]


def test_max_faces_limits_images_only_where_it_is_given(
    tmp_path: Path, out: Path, woman: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    crowd = str(photo(tmp_path / "crowd.png", np.tile(woman, (3, 6, 1))))
    assert main(["annotate", crowd, "--out", str(out)]) == 0
    assert "crowd.png: 18 faces, 18 happy" in capsys.readouterr().out
    assert main(["annotate", crowd, "--out", str(out), "--max-faces", "4"]) == 0
    assert "crowd.png: 4 of 18 faces kept (max_faces), 4 happy" in capsys.readouterr().out


def test_inputs_that_fail_leave_no_folder_and_harm_no_results(
    tmp_path: Path, out: Path, woman: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, also = tmp_path / "broken.jpg", tmp_path / "also.mp4"
    broken.write_bytes(b"no picture")
    also.write_bytes(b"no video")
    for inputs in ([broken], [also], [broken, also]):
        assert main(["annotate", *map(str, inputs), "--out", str(out)]) == 1
        assert not out.exists()
    good = str(photo(tmp_path / "a.png", woman))
    capsys.readouterr()
    assert main(["annotate", good, str(broken), "--out", str(out)]) == 1, "one was not read"
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "a.png: 1 face, happy" in printed.out
    assert main(["annotate", str(broken), "--out", str(out)]) == 1
    assert (out / "a.jpg").exists()
