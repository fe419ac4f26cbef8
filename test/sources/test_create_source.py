from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import pytest
from bags import raw, write_bag
from clips import corner_picture, write_video
from hypothesis import example, given
from hypothesis import strategies as st

from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag import BagSource
from edan_ros.sources.image_files import ImageFileSource
from edan_ros.sources.video import VideoSource
from edan_ros.sources.webcam import WebcamSource


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("pictures/1.png", "one picture.jpg", "odd[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), corner_picture())
    write_video(tmp_path / "clip.mp4", [0, 40])
    write_bag(tmp_path / "bag", [("/image", 1, raw(1))])
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("clip.mp4", VideoSource),
        ("pictures", ImageFileSource),
        ("pictures/", ImageFileSource),
        ("pictures/*", ImageFileSource),
        ("one picture.jpg", ImageFileSource),
        ("odd[1].png", ImageFileSource),  # the file itself, though it reads like a glob
        ("bag", BagSource),
        ("bag/bag.db3", BagSource),
        ("0", WebcamSource),
        ("/dev/video3", WebcamSource),
    ],
)
def test_the_text_determines_the_kind_of_source(text: str, kind: type) -> None:
    source = create_source(text)
    assert type(source) is kind
    assert source.live == (kind is WebcamSource)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no source named"),
        ("nope.mp4", r"there is no nope\.mp4: give a video"),
        ("nope/*.png", "no image matches"),
        ("empty", "holds no image"),
    ],
)
def test_a_missing_source_is_named(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        create_source(text)


def test_the_home_folder_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert create_source("~/clip.mp4").length == 2


@given(st.text(min_size=1))
@example("~nobody_of_that_name/clip.mp4")
@example("n" * 5000)
@example("a\0b.mp4")
@example("[")
def test_any_text_gives_a_source_or_one_sentence(text: str) -> None:
    # What it may not do is to raise anything else.
    with contextlib.suppress(SourceError):
        assert create_source(text).name
