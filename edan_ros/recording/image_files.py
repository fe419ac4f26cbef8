"""Write single images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.recording.errors import writing


class Stems:
    """Names of output files: those of the input images without their suffix.

    Two of one name, in two folders or of two formats, are numbered.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, name: str) -> str:
        """Return the stem for the next image."""
        first = stem = Path(name).stem
        number = 2
        while stem in self._used:
            stem, number = f"{first}_{number}", number + 1
        self._used.add(stem)
        return stem


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a BGR image in the format of its suffix.

    Raises RecordingError where it cannot be written completely, which ``cv2.imwrite`` ignores.
    """
    _, data = cv2.imencode(path.suffix, pixels)
    with writing(path):
        path.write_bytes(data.tobytes())
