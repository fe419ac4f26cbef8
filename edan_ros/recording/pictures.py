"""Writes single pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.recording.errors import writing


class Stems:
    """Names for what is written of pictures: each one's file without its ending.

    Two of one name, in two folders or of two kinds, are numbered.
    """

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, name: str) -> str:
        """The stem for the next picture."""
        first = stem = Path(name).stem
        number = 2
        while stem in self._given:
            stem, number = f"{first}_{number}", number + 1
        self._given.add(stem)
        return stem


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a BGR picture in the format that its name says.

    Raises RecordingError where it cannot be written whole, which ``cv2.imwrite`` does not say.
    """
    _, data = cv2.imencode(path.suffix, pixels)
    with writing(path):
        path.write_bytes(data)
