"""Canvases: what is laid on them, which faces they are said to hold, and that draws repeat."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.boxes import Box
from edan_ros.core.crops import five_points
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.datasets import DataError
from edan_ros.training.common.config import ConfigError
from edan_ros.training.detector.canvas import Canvas, placing, warp
from edan_ros.training.detector.clutter import draw_clutter, shade
from edan_ros.training.detector.data import (
    Composer,
    Composition,
    DetectorData,
)
from edan_ros.training.detector.sources import (
    NOBODY_SIDE,
    Picture,
    _nobody,
    halvings,
    labelled,
    load_pictures,
)
from edan_ros.training.emotion.augment import Augmentation

FACE = MEAN_SHAPE * 60 + 100
BOX = Box.from_landmarks(FACE)
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def picture(seed: int = 0, *, framed: bool = True) -> Picture:
    """Noise of 240 x 200 with a face of about 60 pixels around (100, 100)."""
    gray = np.random.default_rng(seed).integers(0, 256, (200, 240), dtype=np.uint8)
    return Picture(
        halvings(gray),
        FACE[None].astype(np.float32),
        five_points(FACE)[None].astype(np.float32),
        np.empty((0, 4), np.float32),
        framed,
    )


def test_others_are_faces_where_the_teacher_is_certain() -> None:
    shifted = Box(BOX.x + 120, BOX.y, 40, 50)
    points = five_points(FACE) + np.array([120, 0])
    found = [
        Detection(BOX, 0.9, 0.0, five_points(FACE)),
        Detection(shifted, 0.8, 0.0, points),
        Detection(Box(0, 0, 10, 10), 0.4, 0.0, points),
    ]
    made = labelled(np.zeros((200, 300), np.uint8), FACE.astype(np.float32), found, certain=0.6)
    assert len(made.outlines) == len(made.points) == 2
    np.testing.assert_allclose(made.outlines[1].min(axis=0), [shifted.x, shifted.y], atol=1e-3)
    np.testing.assert_allclose(np.ptp(made.outlines[1], axis=0), [40, 50], atol=1e-3)
    np.testing.assert_array_equal(made.unsure, [[0, 0, 10, 10]])


def test_a_face_is_noted_where_it_is_laid() -> None:
    canvas = Canvas(320)
    canvas.lay(picture(), placing(np.array([100, 100]), np.array([200, 150]), 0.5, 0.0,
                                  mirror=False), (0, 0, 320, 320))  # fmt: skip
    box = Box(*canvas.boxes[0])
    assert box.width == pytest.approx(0.5 * BOX.width, abs=1e-3)
    assert box.x == pytest.approx(200 + 0.5 * (BOX.x - 100), abs=1e-3)
    assert canvas.wanted.tolist() == [True]


def test_in_a_mirrored_picture_left_stays_left() -> None:
    matrix = placing(np.array([100, 100]), np.array([100, 100]), 1.0, 0.0, mirror=True)
    canvas = Canvas(320)
    canvas.lay(picture(), matrix, (0, 0, 320, 320))
    points = canvas.points[0]
    assert points[0, 0] < points[2, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]


def test_a_face_that_is_covered_or_cut_is_not_wanted() -> None:
    canvas = Canvas(320)
    canvas.lay(picture(), STILL, (0, 0, 320, 320))
    x0, y0 = int(BOX.x), int(BOX.y)
    empty = Picture(picture().levels, *(np.empty(s) for s in ((0, 68, 2), (0, 5, 2), (0, 4))))
    canvas.lay(empty, STILL, (x0, y0, x0 + 20, y0 + 70))
    assert canvas.wanted.tolist() == [True]
    canvas.lay(empty, STILL, (x0, y0, x0 + 45, y0 + 70))
    assert canvas.wanted.tolist() == [False]
    for inside, wanted in ((0.6, [True]), (0.4, [False]), (0.1, [])):
        cut = Canvas(320)
        shift = np.array([[1.0, 0.0, -BOX.x - (1 - inside) * BOX.width], [0.0, 1.0, 0.0]])
        cut.lay(picture(), shift, (0, 0, 320, 320))
        assert cut.wanted.tolist() == wanted


def test_a_tiny_face_is_neither_wanted_nor_background() -> None:
    canvas = Canvas(320)
    canvas.lay(picture(), STILL * 0.1, (0, 0, 320, 320))
    assert canvas.wanted.tolist() == [False]


@given(scale=st.floats(0.06, 3.0), roll=st.floats(-1.0, 1.0), x=st.floats(100, 220))
@settings(max_examples=40, deadline=None)
def test_halvings_do_not_move_what_they_show(scale: float, roll: float, x: float) -> None:
    """A bright disc stays where the matrix says, whichever halving it is drawn from."""
    y, u = np.mgrid[:400, :400]
    gray = np.where(np.hypot(y - 200, u - 200) < 48, 255, 0).astype(np.uint8)
    source = Picture(halvings(gray), *(np.empty(s) for s in ((0, 68, 2), (0, 5, 2), (0, 4))))
    matrix = placing(np.array([200, 200]), np.array([x, 150]), scale, roll, mirror=False)
    shown = warp(source, matrix, (0, 0, 320, 320), fill=0).astype(float)
    rows, columns = np.mgrid[:320, :320]
    if scale < 2.0:  # larger ones reach over the border
        assert (shown * columns).sum() / shown.sum() == pytest.approx(x, abs=0.3)
        assert (shown * rows).sum() / shown.sum() == pytest.approx(150, abs=0.3)


@pytest.fixture
def composer() -> Composer:
    sets = {"landmarks68": [picture(1), picture(2)], "fer2013": [picture(3, framed=False)]}
    return Composer(sets, 160, Composition(scene_face=(20.0, 120.0)))


def test_a_draw_is_the_same_whoever_computes_it(composer: Composer) -> None:
    first, second, other = (
        DetectorData(composer, Augmentation(erase=0.0, smallest_px=80), 8, seed, 0)
        for seed in (1, 1, 2)
    )
    for i in (5, 0, 7):
        for name, value in first[i].items():
            np.testing.assert_array_equal(value, second[i][name])
    assert (first[3]["image"] != other[3]["image"]).any()


def test_canvases_hold_faces_of_all_sizes_and_some_hold_none(composer: Composer) -> None:
    sizes, empty = [], 0
    for seed in range(80):
        canvas = composer(np.random.default_rng(seed))
        assert canvas.pixels.shape == (160, 160)
        assert canvas.pixels.dtype == np.uint8
        assert len(canvas.boxes) == len(canvas.points) == len(canvas.wanted)
        found = canvas.boxes[canvas.wanted]
        sizes += found[:, 2:].mean(axis=1).tolist()
        empty += not len(found)
    assert min(sizes) < 16
    assert max(sizes) > 70
    assert 0 < empty < 60


def test_unknown_sets_and_a_missing_teacher_are_named(tmp_path) -> None:
    data = {"teacher": {"model": "yunet.onnx", "certain": 0.6}}
    with pytest.raises(DataError, match=r"no YuNet file .*yunet\.onnx"):
        load_pictures(data, tmp_path)
    with pytest.raises(ConfigError, match="teacher"):
        load_pictures({}, tmp_path)


def test_of_a_clip_without_people_a_part_is_taken(tmp_path) -> None:
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    clip = cv2.VideoWriter(str(tmp_path / "clip.avi"), codec, 10.0, (64, 48))
    for level in range(0, 240, 12):
        clip.write(np.full((48, 64, 3), level, np.uint8))
    clip.release()
    found = list(_nobody(tmp_path, files={}, packages={}, clips={"clip.avi": (0.0, 0.5)}))
    assert len(found) == 3
    assert max(picture.levels[0].max() for picture in found) < 110
    with pytest.raises(DataError, match=r"other\.avi is missing"):
        list(_nobody(tmp_path, files={}, packages={}, clips={"other.avi": (0.0, 0.5)}))


@pytest.fixture
def package_with_a_picture(tmp_path, monkeypatch) -> None:
    package = tmp_path / "packages" / "edan_cat"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    cv2.imwrite(str(package / "cat.png"), np.full((400, 1000), 90, np.uint8))
    monkeypatch.syspath_prepend(str(package.parent))


@pytest.mark.usefixtures("package_with_a_picture")
def test_pictures_without_people_give_parts_and_no_faces(tmp_path) -> None:
    stripes = np.zeros((60, 200), np.uint8)
    stripes[:, 100:] = 200
    cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
    left, cat = _nobody(
        tmp_path, files={"stripes.png": (0.0, 0.5)}, packages={"edan_cat": ["cat.png"]}
    )
    assert left.levels[0].shape == (60, 100)
    assert not left.levels[0].any()
    assert max(cat.levels[0].shape) == NOBODY_SIDE
    for made in (left, cat):
        assert len(made.outlines) == len(made.points) == len(made.unsure) == 0
    with pytest.raises(DataError, match=r"other\.png is missing"):
        list(_nobody(tmp_path, files={"other.png": (0.0, 1.0)}, packages={}))
    with pytest.raises(DataError, match="package edan_dog is not installed"):
        list(_nobody(tmp_path, files={}, packages={"edan_dog": ["dog.png"]}))


def test_backgrounds_come_from_pictures_without_people_where_asked() -> None:
    nothing = (np.empty((0, 68, 2)), np.empty((0, 5, 2)), np.empty((0, 4)))
    white = Picture(halvings(np.full((300, 300), 255, np.uint8)), *nothing)
    sets = {"landmarks68": [picture(1)], "nobody": [white]}
    how = Composition(scene=0.0, pasted=0, nobody=1.0, shapes=0.0)
    canvas = Composer(sets, 160, how)(np.random.default_rng(0))
    assert canvas.pixels.min() == 255
    dark = Composer(sets, 160, replace(how, dark=1.0))(np.random.default_rng(0))
    assert dark.pixels.mean() < 0.65 * 255
    plain = Composer(sets, 160, replace(how, nobody=0.0, plain=1.0))(np.random.default_rng(0))
    assert np.ptp(plain.pixels) == 0


def test_clutter_stays_on_the_picture_and_repeats() -> None:
    """Shapes reach over every border; what they cover, and how, is the draw's alone."""
    changed = 0.0
    for seed in range(40):
        first, second = (np.full((96, 96), 90, np.uint8) for _ in range(2))
        draw_clutter(first, np.random.default_rng(seed))
        draw_clutter(second, np.random.default_rng(seed))
        np.testing.assert_array_equal(first, second)
        changed += float(np.mean(first != 90)) / 40
    assert 0.1 < changed < 0.9


def test_a_shade_is_even_or_changes_in_one_direction() -> None:
    steps = [np.diff(shade((8, 9), np.random.default_rng(seed)), axis=1) for seed in range(30)]
    assert all(np.allclose(step, step[0, 0], atol=1e-3) for step in steps)
    assert 5 < sum(bool(abs(step[0, 0]) > 0.01) for step in steps) < 25


def test_faces_below_the_smallest_are_neither_wanted_nor_background() -> None:
    for smallest, wanted in ((40.0, [True]), (80.0, [False])):
        canvas = Canvas(320, smallest)
        canvas.lay(picture(), STILL, (0, 0, 320, 320))
        assert canvas.wanted.tolist() == wanted
