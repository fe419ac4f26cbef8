"""The benchmark's pictures hold the faces that they say, and move in a loop."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.benchmark.synthetic_images import GRIDS, RESOLUTIONS, moving_faces
from edan_ros.core.images import Image
from edan_ros.detection.factory import create_detector

pytest.importorskip("skimage", reason="the photographs are scikit-image's (extra demo)")
pytest.importorskip("matplotlib", reason="the photographs are matplotlib's (extra demo)")


@pytest.mark.parametrize("faces", GRIDS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_detector_finds_every_face(resolution: str, faces: int) -> None:
    detector = create_detector("edan", threads=1)
    images = moving_faces(resolution, faces, 2)
    width, height = RESOLUTIONS[resolution]
    assert {image.shape for image in images} == {(height, width, 3)}
    assert [len(detector.detect(Image(image))) for image in images] == [faces, faces]


def test_faces_move_by_little_from_each_image_to_the_next_and_round() -> None:
    """Half a circle apart they are two swings (8 % of the picture's height) apart."""
    detector = create_detector("edan", threads=1)
    places = []
    for image in moving_faces("vga", 1, 12):
        (found,) = detector.detect(Image(image))
        places.append(found.box.center)
    steps = np.linalg.norm(np.diff([*places, places[0]], axis=0), axis=1)
    assert steps.max() < 25
    across = np.linalg.norm(np.subtract(places[0], places[6]))
    assert across == pytest.approx(2 * 0.04 * 640, abs=12)
