"""One writer per folder; files are complete when a signal ends a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.annotations import VIDEO, Annotations
from edan_ros.recording.bag_writer import BagWriter
from edan_ros.recording.files import RecordingError, locked_folder
from edan_ros.recording.run_folder import LINES

IMAGE = Image(np.full((48, 64, 3), 90, np.uint8))
#: Writes a video until a signal comes, which ends it as the command line does.
_WRITER = """
import signal, sys, time
from pathlib import Path
import numpy as np
from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.annotations import Annotations

def stop(number, _):
    raise SystemExit(128 + number)

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
image = Image(np.full((48, 64, 3), 90, np.uint8))
with Annotations(Path(sys.argv[1]), PrivacyFilter("blur")) as annotations:
    for i in range(10_000):
        annotations.add(i / 25, i * 40_000_000, image, FrameResult([], 64, 48))
        if i == 50:
            print("ready", flush=True)
        time.sleep(0.002)
"""


def start_writer(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_video_that_can_be_read(tmp_path: Path, number: signal.Signals) -> None:
    with start_writer(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    with av.open(str(tmp_path / VIDEO)) as container:
        frames = len(list(container.decode(video=0)))
    lines = (tmp_path / LINES).read_text().splitlines()
    assert frames > 50
    assert frames == len([json.loads(line) for line in lines])


def test_a_second_run_into_one_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with start_writer(tmp_path) as process:
        with pytest.raises(RecordingError, match=f"another run is writing {tmp_path} now"):
            Annotations(tmp_path, PrivacyFilter("none"))
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    with av.open(str(tmp_path / VIDEO)) as container:
        assert len(list(container.decode(video=0))) > 50


def test_a_killed_run_releases_its_folder(tmp_path: Path) -> None:
    with start_writer(tmp_path) as process:
        process.kill()
        process.wait(30)
    with Annotations(tmp_path, PrivacyFilter("none")) as annotations:
        annotations.add_file("a.png", "a.jpg", IMAGE, FrameResult([], 64, 48))
        assert annotations.files() == [tmp_path / n for n in (LINES, "faces.csv", "a.jpg")]


def test_a_run_that_fails_to_start_releases_its_folder(tmp_path: Path) -> None:
    (tmp_path / LINES).mkdir()
    (tmp_path / LINES / "something").write_text("in the way")
    with (
        pytest.raises(RecordingError, match="cannot be written"),
        Annotations(tmp_path, PrivacyFilter("none")) as annotations,
    ):
        annotations.add_file("a.png", "a.jpg", IMAGE, FrameResult([], 64, 48))
    with locked_folder(tmp_path):
        pass


def test_two_writers_of_one_bag_are_refused(tmp_path: Path) -> None:
    with (
        BagWriter(tmp_path / "bag", "mcap"),
        pytest.raises(RecordingError, match=r"another run is writing .*bag now"),
        BagWriter(tmp_path / "bag", "mcap"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("name", ["a#1", "50%41", "what?", os.fsdecode(b"caf\xe9")])
def test_a_bag_of_any_name_is_written_under_it(tmp_path: Path, storage: str, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with BagWriter(folder / name, storage) as writer:
        writer.add_topic("/a", "std_msgs/msg/String", "string data\n", "RIHS01_" + "0" * 64)
        writer.write("/a", 1, b"\0\1\0\0\2\0\0\0a\0")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [path.name for path in folder.iterdir()] == [name]
    (metadata,) = (folder / name).glob("metadata.yaml")
    (file,) = (p for p in (folder / name).iterdir() if p != metadata)
    assert f"- {file.name}" in metadata.read_text()
