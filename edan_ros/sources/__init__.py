"""Sources: frames of a camera from files, folders, bags, webcams, and a built-in scene."""

from __future__ import annotations

import glob
from pathlib import Path

from edan_ros.sources.bag import BagSource, is_bag
from edan_ros.sources.base import Frame, Log, Source, SourceError, discard
from edan_ros.sources.image_files import ImageFileSource, images_in, images_matching, is_image_file
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
    log: Log = discard,
) -> Source:
    """Return the source that a user names.

    Args:
        text: ``demo`` (built in), the number of a webcam, its device or a link to it, a video, an
            image, a folder of images, a glob of images, or a bag (folder or file).
        topic: image topic of a bag; "" for the one with most images.
        width, height, fps: requested of a webcam; 0 leaves it to the camera.
        log: receives a sentence for each skipped frame, damaged part and jump of the stamps.

    Raises:
        SourceError: if nothing of that name exists, or it cannot be read.
    """
    if text == BUILT_IN:
        return SceneSource()
    index = webcam_index(text)
    if index is not None:
        link = text if text.startswith("/") else ""
        return WebcamSource(index, width=width, height=height, fps=fps, name=link)
    try:
        return _of_path(Path(text).expanduser(), text, topic, log)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        # No permission, no such home folder, a name that no file can have.
        raise SourceError(f"{text} cannot be read: {error}") from error


def _of_path(path: Path, text: str, topic: str, log: Log) -> Source:
    if not text or not path.exists():
        if glob.has_magic(text):
            return ImageFileSource(text, images_matching(str(path)), log)
        raise SourceError(
            f"there is no {text or 'source named'}: give a video, an image, a folder, a bag, "
            f"the number of a webcam, or '{BUILT_IN}'"
        )
    if is_bag(path):
        return BagSource(path, topic, log)
    if path.is_dir():
        return ImageFileSource(text, images_in(path), log)
    if is_image_file(path):
        return ImageFileSource(text, [path], log)
    return VideoSource(path, log)
