"""Image files as a source: one file, a folder of them, or a glob."""

from __future__ import annotations

import glob
import re
from collections.abc import Generator, Sequence
from pathlib import Path

from edan_ros.core.images import Image, ImageError, decode_file
from edan_ros.core.images.file_formats import IMAGE_SUFFIXES
from edan_ros.sources.base import Frame, Log, SourceError, discard

#: Images per second where no other rate is given: slow enough to look at each.
IMAGE_RATE = 2.0

_DIGITS = re.compile(r"([0-9]+)")


def is_image_file(path: Path) -> bool:
    """Return whether a name has the suffix of an image file."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts 2.png before 10.png. Different names have different keys."""
    parts = [part for part in _DIGITS.split(str(path)) if part]
    numbers_apart = [
        (0, int(p), "") if p[0] in "0123456789" else (1, 0, p.casefold()) for p in parts
    ]
    return numbers_apart, str(path)


def images_in(folder: Path) -> list[Path]:
    """Return the images directly in a folder, in natural order. Raises SourceError without any."""
    found = [path for path in folder.iterdir() if is_image_file(path) and path.is_file()]
    if not found:
        raise SourceError(
            f"the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no bag"
        )
    return sorted(found, key=natural_key)


def images_matching(pattern: str) -> list[Path]:
    """Return the images that match a glob, in natural order; ** stands for all folders below.

    Raises SourceError without any.
    """
    found = [path for path in matching(pattern) if is_image_file(path) and path.is_file()]
    if not found:
        raise SourceError(f"no image matches {pattern}")
    return found


def matching(pattern: str) -> list[Path]:
    """Return the files and folders that match a glob, in natural order."""
    return sorted(map(Path, glob.glob(pattern, recursive=True)), key=natural_key)


def read_image(path: Path) -> Image:
    """Return an image file, upright (EXIF). Raises SourceError where it cannot be read."""
    try:
        return decode_file(path.read_bytes(), str(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except ImageError as error:
        raise SourceError(str(error)) from error


class ImageFileSource:
    """Image files in the given order, at a rate that is not recorded but given.

    A file that cannot be read as an image is skipped.
    """

    live = False

    def __init__(self, name: str, paths: Sequence[Path], log: Log = discard) -> None:
        self.name = name
        self.rate = IMAGE_RATE
        self.length = len(paths)
        self.paths = list(paths)
        self._log = log

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the images. Raises SourceError where none can be read."""
        read = 0
        for path in self.paths:
            try:
                image = read_image(path)
            except SourceError as error:
                self._log(str(error))
                continue
            yield Frame(image, read / self.rate, name=path.name)
            read += 1
        if not read:
            raise SourceError(f"{self.name} cannot be read as an image: save it as JPEG or PNG")
