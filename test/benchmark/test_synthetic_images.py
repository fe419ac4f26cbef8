"""Synthetic images contain the stated number of faces, which move in a loop."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.benchmark.synthetic_images import GRIDS, RESOLUTIONS, moving_faces
from edan_ros.core.images import Image
from edan_ros.detection.factory import create_detector

pytest.importorskip("skimage", reason="scikit-image (extra demo) provides a photograph")
pytest.importorskip("matplotlib", reason="matplotlib (extra demo) provides a photograph")


@pytest.mark.parametrize("faces", GRIDS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_detector_finds_every_face(resolution: str, faces: int) -> None:
    detector = create_detector("edan", threads=1)
    images = moving_faces(resolution, faces, 2)
    width, height = RESOLUTIONS[resolution]
    assert {image.shape for image in images} == {(height, width, 3)}
    assert [len(detector.detect(Image(image))) for image in images] == [faces, faces]


def test_faces_move_little_between_images_and_in_a_loop() -> None:
    """Half a loop apart, the displacement is twice the amplitude (8 % of the cell)."""
    detector = create_detector("edan", threads=1)
    centers = []
    for image in moving_faces("vga", 1, 12):
        (found,) = detector.detect(Image(image))
        centers.append(found.box.center)
    steps = np.linalg.norm(np.diff([*centers, centers[0]], axis=0), axis=1)
    assert steps.max() < 25
    across = np.linalg.norm(np.subtract(centers[0], centers[6]))
    assert across == pytest.approx(2 * 0.04 * 640, abs=12)
