"""Sources: frames of a camera from files, folders, bags, webcams, and a scene that is built in."""

from __future__ import annotations

from pathlib import Path

from edan_ros.sources.bag import BagSource, is_bag
from edan_ros.sources.base import Frame, OnSkip, Source, SourceError, ignore_skipped
from edan_ros.sources.pictures import PictureSource, is_picture, pictures_in, pictures_of
from edan_ros.sources.scene import SceneSource
from edan_ros.sources.video import VideoSource
from edan_ros.sources.webcam import WebcamSource, webcam_index

__all__ = ["BUILT_IN", "Frame", "Source", "SourceError", "create_source"]

#: Names the built-in scene.
BUILT_IN = "demo"


def create_source(
    text: str,
    *,
    topic: str = "",
    width: int = 0,
    height: int = 0,
    fps: float = 0.0,
    on_skip: OnSkip = ignore_skipped,
) -> Source:
    """The source that a user means.

    Args:
        text: ``demo`` (built in), the number of a webcam or its /dev/video file, a video, a
            picture, a folder of pictures, a glob of pictures, or a bag (folder or file).
        topic: which images of a bag; "" for the one with most.
        width, height, fps: what to ask a webcam for; 0 leaves it to the camera.
        on_skip: is told of frames that had to be left out.

    Raises:
        SourceError: when there is no such thing, or it cannot be read.
    """
    if text == BUILT_IN:
        return SceneSource()
    index = webcam_index(text)
    if index is not None:
        return WebcamSource(index, width=width, height=height, fps=fps)
    try:
        return _of_path(Path(text).expanduser(), text, topic, on_skip)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        # No permission, no such home folder, a name that cannot be one.
        raise SourceError(f"{text} cannot be read: {error}") from error


def _of_path(path: Path, text: str, topic: str, on_skip: OnSkip) -> Source:
    if not text or not path.exists():
        if any(sign in text for sign in "*?["):
            return PictureSource(text, pictures_of(str(path)), on_skip)
        raise SourceError(
            f"there is no {text or 'source named'}: give a video, a picture, a folder, a bag, "
            f"the number of a webcam, or '{BUILT_IN}'"
        )
    if is_bag(path):
        return BagSource(path, topic, on_skip)
    if path.is_dir():
        return PictureSource(text, pictures_in(path), on_skip)
    if is_picture(path):
        return PictureSource(text, [path], on_skip)
    return VideoSource(path, on_skip)
