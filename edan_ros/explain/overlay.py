"""A map drawn over the crop it was computed from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def overlay(
    crop: NDArray[np.floating], values: NDArray[np.floating], *, side: int = 256, part: float = 0.5
) -> NDArray[np.uint8]:
    """(side, side, 3) bgr: the crop in grey with the map over it, blue for none to red.

    crop: (S, S) grey 0 to 255. values: (h, w) map, 0 to 1. part: of the colour at a value of 1.
    """
    grey = cv2.resize(np.asarray(crop, np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(np.asarray(values, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    fine = np.clip(fine, 0.0, 1.0)
    colour = cv2.applyColorMap((fine * 255).astype(np.uint8), cv2.COLORMAP_JET)
    weight = (part * np.sqrt(fine))[..., None]
    mixed = (1.0 - weight) * cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) + weight * colour
    return np.asarray(mixed, np.uint8)
