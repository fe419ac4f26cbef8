"""Hard cuts between shots are detected; motion, light and flashes are none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import Disc, DiscDetector, DiscEngine, scene

from edan_ros.core.images import Image
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.cuts import CutDetector
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.sources import create_source

STEP = 1 / 30
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "data" / "media"


@cache
def place(seed: int, width: int = 1200) -> np.ndarray:
    """(240, width) float32 grey levels with structure of all sizes, like a room."""
    random, levels = np.random.default_rng(seed), np.zeros((240, width), np.float32)
    for size in (120, 60, 30, 15, 7):
        grid = random.normal(0, 1, (240 // size + 1, width // size + 1)).astype(np.float32)
        levels += size**0.5 * cv2.resize(grid, (width, 240), interpolation=cv2.INTER_CUBIC)
    return 120 + 45 * levels / levels.std()


def cuts(images: list[np.ndarray], step: float = STEP) -> list[int]:
    """Numbers of the images that begin a shot; sensor noise is added to all."""
    detector, random = CutDetector(), np.random.default_rng(0)
    noisy = [np.clip(image + random.normal(0, 3, image.shape), 0, 255) for image in images]
    found = [detector.update(Image(image.astype(np.uint8), "mono"), step) for image in noisy]
    return np.flatnonzero(found).tolist()


def still(seed: int, count: int = 8) -> list[np.ndarray]:
    return [place(seed)[:, :320]] * count


@pytest.mark.parametrize("other", range(1, 6))
def test_every_cut_between_two_places_is_found_once(other: int) -> None:
    assert cuts([*still(0), *still(other), *still(0)]) == [8, 16]


def test_a_cut_through_black_images_is_found() -> None:
    assert cuts([*still(0), *[np.zeros((240, 320), np.float32)] * 3, *still(1)]) == [11]


def pan(speed: float) -> list[np.ndarray]:
    """Images of a camera that turns, in widths per image, and comes to rest."""
    places = np.round(320 * speed * np.minimum(np.arange(16), 1.7 / speed)).astype(int)
    return [cv2.blur(place(3)[:, x : x + 320], (1 + round(160 * speed), 1)) for x in places]


def light(factor: Callable[[int], float | np.ndarray], offset: float = 0.0) -> list[np.ndarray]:
    return [
        np.clip(image * factor(i) + offset * (i > 7), 0, 255)
        for i, image in enumerate(still(2, 16))
    ]


@pytest.mark.parametrize(
    "images",
    [
        *(pytest.param(pan(speed), id=f"pan {speed}") for speed in (0.02, 0.05, 0.1, 0.15)),
        pytest.param(light(lambda i: 0.25 if i > 7 else 1.0), id="lamp off"),
        pytest.param(light(lambda i: 1.6 if i > 7 else 0.3), id="lamp on"),
        pytest.param(
            light(lambda i: np.linspace(0.3, 1.5, 320) if i > 7 else 1.0), id="side light"
        ),
        pytest.param(light(lambda _: 1.0, 60.0), id="exposure"),
        pytest.param(light(lambda i: 1 + 4 * (i == 9)), id="flash"),
        pytest.param(light(lambda i: 1 + 4 * (8 < i < 12)), id="flash of three images"),
        pytest.param(
            light(lambda i: np.where(np.arange(320) < 150, 1 + 5 * (i == 9), 1)), id="half a flash"
        ),
        pytest.param(light(lambda i: 0.0 if 7 < i < 11 else 1.0), id="black images"),
        pytest.param([place(i)[:, :320] for i in range(16)], id="another place in each image"),
    ],
)
def test_motion_and_light_are_no_cuts(images: list[np.ndarray]) -> None:
    assert cuts(images) == []


def test_images_far_apart_in_time_are_no_cuts() -> None:
    assert cuts([*still(0), *still(1)], step=0.5) == []


def clip(first: Disc, second: Disc) -> list[Image]:
    """Two shots with a face each: 12 images of a place, 12 of another."""
    shots = []
    for seed, disc in ((0, first), (3, second)):
        background = (place(seed)[:, :320] * 0.2).clip(0, 50)  # discs are brighter than 60
        shots += [
            Image(np.maximum(scene([disc], 320, 240).pixels, background.astype(np.uint8)), "mono")
        ] * 12
    return shots


@pytest.mark.parametrize("detect_cuts", [True, False])
def test_tracks_end_at_a_cut(detect_cuts: bool) -> None:
    """The face of the second shot is where the first one was."""
    detector, engine = DiscDetector(), DiscEngine()
    pipeline = Pipeline(detector, engine, PipelineConfig(detect_cuts=detect_cuts))
    images = clip(Disc(150, 120, 60), Disc(155, 124, 62))
    results = [pipeline.process(image, i * STEP) for i, image in enumerate(images)]
    ids = [[face.track_id for face in result.faces] for result in results]
    assert ids == [[1]] * 12 + ([[2]] * 12 if detect_cuts else [[1]] * 12)
    assert [i for i, result in enumerate(results) if result.cut] == [12] * detect_cuts
    assert results[12].detected == detect_cuts, "the detector runs on the first image of a shot"


def test_the_detector_waits_for_a_whole_image_after_a_cut() -> None:
    detector, engine = DiscDetector(), DiscEngine()
    pipeline = Pipeline(detector, engine, PipelineConfig())
    results = []
    for i, image in enumerate(clip(Disc(150, 120, 60), Disc(155, 124, 62))):
        if i == 12:  # decoded before anything of the cut was known
            image = Image(image.pixels[::2, ::2], "mono", reduction=2, full_size=(320, 240))
        results.append(pipeline.process(image, i * STEP))
    assert [len(results[i].faces) for i in (11, 12, 13)] == [1, 0, 1]
    assert [results[i].detected for i in (12, 13)] == [False, True]


@pytest.mark.skipif(not MEDIA.is_dir(), reason="../shared/data/media is not here")
def test_the_cut_of_a_clip() -> None:
    """A man, one black image, the sky."""
    detector, last, found = CutDetector(), 0.0, []
    for frame in create_source(str(MEDIA / "face_leaves.mov")).frames():
        if detector.update(frame.image, frame.time - last):
            found.append(frame.time)
        last = frame.time
    assert found == pytest.approx([2.43], abs=0.01)
