"""Writes single pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.recording.errors import writing


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a BGR picture in the format that its name says.

    Raises RecordingError where it cannot be written whole, which ``cv2.imwrite`` does not say.
    """
    _, data = cv2.imencode(path.suffix, pixels)
    with writing(path):
        path.write_bytes(data)
