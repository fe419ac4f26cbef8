from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.sources import SourceError, create_source, webcam
from edan_ros.sources.webcam import WebcamSource, webcam_index


@given(st.integers(0, 999))
def test_numbers_and_devices_name_webcams(number: int) -> None:
    assert webcam_index(str(number)) == number
    assert webcam_index(f"/dev/video{number}") == number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x1", "video0", "/dev/video", "1000000", "2 "])
def test_other_texts_name_no_webcam(text: str) -> None:
    assert webcam_index(text) is None


def test_a_link_to_a_device_names_its_webcam(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {
        "/dev/v4l/by-id/usb-046d_C920-video-index0": "/dev/video4",
        "/dev/front": "/dev/video2",
    }
    monkeypatch.setattr(webcam.os.path, "realpath", lambda path: links.get(path, path))
    assert webcam_index("/dev/v4l/by-id/usb-046d_C920-video-index0") == 4
    assert webcam_index("/dev/front") == 2
    assert webcam_index("/dev/ttyUSB0") is None
    assert webcam_index("front") is None
    source = create_source("/dev/front", fps=5.0)
    assert isinstance(source, WebcamSource)
    assert source.name == "webcam /dev/front"
    assert (next(source.frames()).image.width, source.rate) == (64, 5.0)


class FakeCapture:
    """Stands in for cv2.VideoCapture: yields ``images`` frames, then fails."""

    images = 3
    opened = True
    settings: dict[int, float]
    released = False

    def __init__(self, _: int) -> None:
        self.left = self.images
        FakeCapture.settings = {}
        FakeCapture.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, setting: int, value: float) -> bool:
        FakeCapture.settings[setting] = value
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((48, 64, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        FakeCapture.released = True


@pytest.fixture(autouse=True)
def fake_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(webcam.sys, "platform", "test")  # no look at /dev


def test_images_come_live_with_stamps() -> None:
    source = WebcamSource(0, width=320, fps=15.0)
    frames = list(itertools.islice(source.frames(), 3))
    assert source.live
    assert source.length is None
    assert all(b.stamp_ns >= a.stamp_ns for a, b in itertools.pairwise(frames))
    assert FakeCapture.settings[cv2.CAP_PROP_FRAME_WIDTH] == 320
    assert FakeCapture.settings[cv2.CAP_PROP_FPS] == 15.0
    assert cv2.CAP_PROP_FRAME_HEIGHT not in FakeCapture.settings


def test_an_unplugged_camera_is_an_error_and_released() -> None:
    frames = WebcamSource(0).frames()
    for _ in range(3):
        next(frames)
    assert not FakeCapture.released
    with pytest.raises(SourceError, match="delivers no more images"):
        next(frames)
    assert FakeCapture.released


def test_closing_the_frames_releases_the_camera() -> None:
    frames = WebcamSource(0).frames()
    next(frames)
    frames.close()
    assert FakeCapture.released


def test_a_camera_in_use_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCapture, "opened", False)
    with pytest.raises(SourceError, match="another program uses it"):
        next(WebcamSource(0).frames())


def test_a_missing_camera_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    with pytest.raises(SourceError, match="webcam 987 does not exist: this machine has"):
        next(WebcamSource(987).frames())
