from __future__ import annotations

import numpy as np
import pytest

from edan_ros.detection.factory import create_detector
from edan_ros.sources import Frame, create_source

pytest.importorskip("skimage")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return list(create_source("demo").frames())


def test_ten_seconds_at_25_images_a_second(frames: list[Frame]) -> None:
    assert len(frames) == create_source("demo").length == 250
    assert [f.time for f in frames] == pytest.approx(np.arange(250) / 25.0)
    assert {f.image.pixels.shape for f in frames} == {(480, 640, 3)}


def test_every_run_gives_the_same(frames: list[Frame]) -> None:
    for first, again in zip(frames[:40], create_source("demo").frames(), strict=False):
        np.testing.assert_array_equal(first.image.pixels, again.image.pixels)


def test_images_move_but_never_jump(frames: list[Frame]) -> None:
    small = np.array([f.image.gray()[::4, ::4] for f in frames], np.float32)
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2))
    assert steps.min() > 0.5, "a sensor's noise at least"
    assert steps.max() < 50.0, "two unlike pictures differ by 60 and more"


# Seconds at which the scene is made to show nobody, one, two, one and nobody again.
@pytest.mark.parametrize(("second", "faces"), [(0.2, 0), (3.4, 1), (6.2, 2), (8.2, 1), (9.8, 0)])
def test_faces_appear_and_leave(frames: list[Frame], second: float, faces: int) -> None:
    image = frames[round(25 * second)].image
    assert len(create_detector("haar").detect(image)) == faces
