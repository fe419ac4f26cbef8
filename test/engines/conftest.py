"""Fixtures for the engine tests: images and crops of real faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.core.crops import Crop, extract
from edan_ros.core.images import Image
from edan_ros.detection.base import shrink
from edan_ros.detection.edan_detector import INPUT_MULTIPLE
from edan_ros.detection.factory import create_detector

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "media" / "photos"


def _photographs() -> list[Image]:
    """Load the photographs in ../shared/data if present, else those of the built-in scene."""
    files = sorted(PHOTOGRAPHS.glob("emotion_*.jpg"))
    if files:
        return [Image(cv2.imread(str(file)), "bgr") for file in files]
    pytest.importorskip("skimage", reason="scikit-image provides a photograph")
    pytest.importorskip("matplotlib", reason="matplotlib provides a photograph")
    from edan_ros.sources.scene import load_photographs

    return [Image(pixels, "bgr") for pixels in load_photographs()]


@pytest.fixture(scope="session")
def face_images() -> list[NDArray[np.uint8]]:
    """Return small (H, W) grey images of faces whose sides suit the detector's network."""
    grey = [shrink(image, 320)[0].gray() for image in _photographs()]
    sides = [[side - side % INPUT_MULTIPLE for side in g.shape] for g in grey]
    return [g[:height, :width] for g, (height, width) in zip(grey, sides, strict=True)]


@pytest.fixture(scope="session")
def face_crops() -> Callable[[int], NDArray[np.float32]]:
    """Return a function S -> (n, 1, S, S) crops of detected faces, n at least 6.

    Each face is cropped three times, shifted and rotated as by a tracker.
    """
    detector = create_detector("edan")
    found = [(image, detection) for image in _photographs() for detection in detector.detect(image)]

    def cut(size: int) -> NDArray[np.float32]:
        crops = []
        for image, detection in found:
            crop = detection.crop()
            for shift, roll in ((0.0, 0.0), (0.04, 0.15), (-0.03, -0.2)):
                moved = Crop(crop.center + shift * crop.side, crop.side, crop.roll + roll)
                crops.append(extract(image, [moved], size))
        assert len(crops) >= 6
        return np.concatenate(crops)

    return cut
