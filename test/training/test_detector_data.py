"""Canvases: what is pasted on them, their faces, and that samples repeat."""

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
from edan_ros.evaluation.head_rotation import head_angles
from edan_ros.training.common.config import ConfigError
from edan_ros.training.detector.canvas import Canvas, placement_matrix, warp
from edan_ros.training.detector.composer import (
    Composer,
    Composition,
    DetectorData,
)
from edan_ros.training.detector.distractors import draw_distractors, shade
from edan_ros.training.detector.head_views import add_cap, add_glasses, head_views
from edan_ros.training.detector.sources import (
    BACKGROUND_SIDE,
    SourceImage,
    annotate,
    background_images,
    load_source_images,
    pyramid,
)
from edan_ros.training.emotion.augment import Augmentation

FACE = MEAN_SHAPE * 60 + 100
BOX = Box.from_landmarks(FACE)
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def source_image(seed: int = 0, *, framed: bool = True) -> SourceImage:
    """Noise of 240 x 200 with a face of about 60 pixels around (100, 100)."""
    gray = np.random.default_rng(seed).integers(0, 256, (200, 240), dtype=np.uint8)
    return SourceImage(
        pyramid(gray),
        FACE[None].astype(np.float32),
        five_points(FACE)[None].astype(np.float32),
        np.empty((0, 4), np.float32),
        framed,
    )


def test_detections_of_the_teacher_are_faces_from_a_score_on() -> None:
    shifted = Box(BOX.x + 120, BOX.y, 40, 50)
    points = five_points(FACE) + np.array([120, 0])
    found = [
        Detection(BOX, 0.9, 0.0, five_points(FACE)),
        Detection(shifted, 0.8, 0.0, points),
        Detection(Box(0, 0, 10, 10), 0.4, 0.0, points),
    ]
    made = annotate(np.zeros((200, 300), np.uint8), FACE.astype(np.float32), found, min_score=0.6)
    assert len(made.outlines) == len(made.points) == 2
    np.testing.assert_allclose(made.outlines[1].min(axis=0), [shifted.x, shifted.y], atol=1e-3)
    np.testing.assert_allclose(np.ptp(made.outlines[1], axis=0), [40, 50], atol=1e-3)
    np.testing.assert_array_equal(made.ignore, [[0, 0, 10, 10]])


def test_a_face_is_added_where_it_is_pasted() -> None:
    canvas = Canvas(320)
    origin, target = np.array([100, 100]), np.array([200, 150])
    matrix = placement_matrix(origin, target, 0.5, 0.0, mirror=False)
    canvas.paste(source_image(), matrix, (0, 0, 320, 320))
    box = Box(*canvas.boxes[0])
    assert box.width == pytest.approx(0.5 * BOX.width, abs=1e-3)
    assert box.x == pytest.approx(200 + 0.5 * (BOX.x - 100), abs=1e-3)
    assert canvas.ignore.tolist() == [False]


def test_points_keep_their_side_in_a_mirror_image() -> None:
    matrix = placement_matrix(np.array([100, 100]), np.array([100, 100]), 1.0, 0.0, mirror=True)
    canvas = Canvas(320)
    canvas.paste(source_image(), matrix, (0, 0, 320, 320))
    points = canvas.points[0]
    assert points[0, 0] < points[2, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]


def test_a_face_that_is_covered_or_cut_is_ignored() -> None:
    canvas = Canvas(320)
    canvas.paste(source_image(), STILL, (0, 0, 320, 320))
    x0, y0 = int(BOX.x), int(BOX.y)
    empty = SourceImage.without_faces(source_image().levels[0])
    canvas.paste(empty, STILL, (x0, y0, x0 + 20, y0 + 70))
    assert canvas.ignore.tolist() == [False]
    canvas.paste(empty, STILL, (x0, y0, x0 + 45, y0 + 70))
    assert canvas.ignore.tolist() == [True]
    for inside, ignore in ((0.6, [False]), (0.4, [True]), (0.1, [])):
        cut = Canvas(320)
        shift = np.array([[1.0, 0.0, -BOX.x - (1 - inside) * BOX.width], [0.0, 1.0, 0.0]])
        cut.paste(source_image(), shift, (0, 0, 320, 320))
        assert cut.ignore.tolist() == ignore


def test_a_tiny_face_is_ignored() -> None:
    canvas = Canvas(320)
    canvas.paste(source_image(), STILL * 0.1, (0, 0, 320, 320))
    assert canvas.ignore.tolist() == [True]


@given(scale=st.floats(0.06, 3.0), roll=st.floats(-1.0, 1.0), x=st.floats(100, 220))
@settings(max_examples=40, deadline=None)
def test_levels_of_the_pyramid_are_aligned(scale: float, roll: float, x: float) -> None:
    """A bright disc is warped to the same place from every level."""
    y, u = np.mgrid[:400, :400]
    gray = np.where(np.hypot(y - 200, u - 200) < 48, 255, 0).astype(np.uint8)
    source = SourceImage.without_faces(gray)
    matrix = placement_matrix(np.array([200, 200]), np.array([x, 150]), scale, roll, mirror=False)
    shown = warp(source, matrix, (0, 0, 320, 320), fill=0).astype(float)
    rows, columns = np.mgrid[:320, :320]
    if scale < 2.0:  # larger ones reach over the border
        assert (shown * columns).sum() / shown.sum() == pytest.approx(x, abs=0.3)
        assert (shown * rows).sum() / shown.sum() == pytest.approx(150, abs=0.3)


@pytest.fixture
def composer() -> Composer:
    sets = {
        "landmarks68": [source_image(1), source_image(2)],
        "fer2013": [source_image(3, framed=False)],
    }
    return Composer(sets, 160, Composition(scene_face=(20.0, 120.0)))


def test_a_sample_depends_on_seed_epoch_and_index_alone(composer: Composer) -> None:
    first, second, other = (
        DetectorData(composer, Augmentation(erase=0.0, smallest_px=80), 8, seed, 0)
        for seed in (1, 1, 2)
    )
    for i in (5, 0, 7):
        for name, value in first[i].items():
            np.testing.assert_array_equal(value, second[i][name])
    assert (first[3]["image"] != other[3]["image"]).any()


def test_canvases_have_faces_of_all_sizes_or_none(composer: Composer) -> None:
    sizes, empty = [], 0
    for seed in range(80):
        canvas = composer(np.random.default_rng(seed))
        assert canvas.pixels.shape == (160, 160)
        assert canvas.pixels.dtype == np.uint8
        assert len(canvas.boxes) == len(canvas.points) == len(canvas.ignore)
        found = canvas.boxes[~canvas.ignore]
        sizes += found[:, 2:].mean(axis=1).tolist()
        empty += not len(found)
    assert min(sizes) < 16
    assert max(sizes) > 70
    assert 0 < empty < 60


def test_unknown_sets_and_a_missing_teacher_are_named(tmp_path) -> None:
    data = {"teacher": {"model": "yunet.onnx", "min_score": 0.6}}
    with pytest.raises(DataError, match=r"no YuNet file .*yunet\.onnx"):
        load_source_images(data, tmp_path)
    with pytest.raises(ConfigError, match="teacher"):
        load_source_images({}, tmp_path)


def test_pasted_images_and_scenes_come_from_their_own_sets() -> None:
    """Sets are told apart by an even grey level; without the camera it stays on the canvas."""
    sets = {
        name: [replace(source_image(), levels=[np.full((200, 240), level, np.uint8)])]
        for name, level in (("landmarks68", 40), ("ytf68", 90), ("muxspace", 160))
    }
    options = Composition(
        scene=1.0, scenes={"ytf68": 1.0}, shares={"muxspace": 1.0}, beside=6, pasted=0, empty=0.0,
        distractor_prob=0.0, occluder_prob=0.0, roll_deg=0.0, turned=0.0,
    )  # fmt: skip
    seen: set[int] = set()
    for seed in range(12):
        pixels = Composer(sets, 160, options)(np.random.default_rng(seed)).pixels
        seen |= {level for level in (40, 90, 160) if (pixels == level).mean() > 0.01}
        assert (pixels == 90).mean() > 0.01
    assert seen == {40, 90, 160}


def test_light_from_one_side_leaves_a_dark_and_a_bright_part() -> None:
    sets = {"landmarks68": [source_image()]}
    options = Composition(scene=1.0, plain=0.0, distractor_prob=0.0, occluder_prob=0.0)
    shaded = replace(options, side_light=1.0)
    ratios = []
    for seed in range(20):
        even, uneven = (
            Composer(sets, 160, each)(np.random.default_rng(seed)) for each in (options, shaded)
        )
        np.testing.assert_array_equal(even.boxes, uneven.boxes)
        parts = [c.pixels.reshape(4, 40, 4, 40).mean(axis=(1, 3)) for c in (even, uneven)]
        gain = parts[1] / np.maximum(parts[0], 1.0)
        ratios.append(float(gain.max() / gain.min()))
    assert np.median(ratios) > 1.8


def test_head_views_turn_bow_and_dress_one_face() -> None:
    gray = np.full((200, 220), 128, np.uint8)
    face = (MEAN_SHAPE * 80 + (110, 100)).astype(np.float32)
    options = {"views": 12, "yaw_deg": 60.0, "pitch_deg": (-20.0, 40.0)}
    bare = list(head_views(gray, face, np.random.default_rng(0), occluder_prob=0.0, **options))
    assert len(bare) == 12
    assert all((image == 128).all() for image, _ in bare)
    angles = np.array([head_angles(landmarks) for _, landmarks in bare])
    assert angles[:, 0].min() < -35
    assert 35 < angles[:, 0].max() < 63
    assert angles[:, 1].max() > 20
    options["views"] = 4
    occluded = list(head_views(gray, face, np.random.default_rng(0), occluder_prob=1.0, **options))
    assert all((image != 128).any() for image, _ in occluded)
    small = (MEAN_SHAPE * 30 + (110, 100)).astype(np.float32)
    assert (
        list(head_views(gray, small, np.random.default_rng(0), occluder_prob=0.5, **options)) == []
    )


def test_a_cap_covers_the_forehead_and_nothing_below_the_nose() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 320), dtype=np.uint8)
    face = MEAN_SHAPE * 80 + (160, 150)
    for seed in range(30):
        changed = add_cap(noise, face, np.random.default_rng(seed)) != noise
        x, y = face[27].astype(int)
        assert changed[y - 45 : y - 30, x - 15 : x + 15].mean() > 0.9, seed
        assert not changed[int(face[33, 1]) :].any(), seed


def test_glasses_leave_the_eyes_and_the_mouth_free() -> None:
    gray = np.full((200, 220), 200, np.uint8)
    face = MEAN_SHAPE * 80 + (110, 100)
    for seed in range(30):
        frame = add_glasses(gray, face, np.random.default_rng(seed)) != gray
        assert frame.any()
        for x, y in (face[36:42].mean(axis=0), face[42:48].mean(axis=0)):
            assert not frame[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].any(), seed
            assert frame[int(y) - 15 : int(y) + 15, int(x) - 18 : int(x) + 18].any(), seed
        assert not frame[int(face[33, 1]) + 2 :].any(), seed


def test_hard_regions_are_pasted_as_images_without_a_face() -> None:
    """The hard region is white on black: it appears only if it is chosen."""
    gray = np.zeros((200, 240), np.uint8)
    gray[150:190, 190:230] = 255
    hard = np.array([[190, 150, 40, 40]], np.float32)
    image = replace(source_image(), levels=[gray], hard=hard)
    options = Composition(scene=0.0, pasted=12, empty=1.0, distractor_prob=0.0, mosaic=0.0)
    bright = [
        np.mean(
            [
                (Composer({"landmarks68": [image]}, 160, each)(rng).pixels > 200).mean()
                for rng in map(np.random.default_rng, range(20))
            ]
        )
        for each in (replace(options, hard=0.0), replace(options, hard=1.0))
    ]
    assert bright[1] > 1.5 * bright[0]


def test_a_part_of_a_clip_is_used(tmp_path) -> None:
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    clip = cv2.VideoWriter(str(tmp_path / "clip.avi"), codec, 10.0, (64, 48))
    for level in range(0, 240, 12):
        clip.write(np.full((48, 64, 3), level, np.uint8))
    clip.release()
    found = list(background_images(tmp_path, files={}, packages={}, clips={"clip.avi": (0.0, 0.5)}))
    assert len(found) == 3
    assert max(image.levels[0].max() for image in found) < 110
    with pytest.raises(DataError, match=r"there is no .*other\.avi"):
        list(background_images(tmp_path, files={}, packages={}, clips={"other.avi": (0.0, 0.5)}))


@pytest.fixture
def package_with_an_image(tmp_path, monkeypatch) -> None:
    package = tmp_path / "packages" / "edan_cat"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    cv2.imwrite(str(package / "cat.png"), np.full((400, 1000), 90, np.uint8))
    monkeypatch.syspath_prepend(str(package.parent))


@pytest.mark.usefixtures("package_with_an_image")
def test_background_images_are_cut_and_have_no_faces(tmp_path) -> None:
    stripes = np.zeros((60, 200), np.uint8)
    stripes[:, 100:] = 200
    cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
    left, cat = background_images(
        tmp_path, files={"stripes.png": (0.0, 0.5)}, packages={"edan_cat": ["cat.png"]}
    )
    assert left.levels[0].shape == (60, 100)
    assert not left.levels[0].any()
    assert max(cat.levels[0].shape) == BACKGROUND_SIDE
    for made in (left, cat):
        assert len(made.outlines) == len(made.points) == len(made.ignore) == 0
    with pytest.raises(DataError, match=r"there is no .*other\.png"):
        list(background_images(tmp_path, files={"other.png": (0.0, 1.0)}, packages={}))
    with pytest.raises(DataError, match="package edan_dog is not installed"):
        list(background_images(tmp_path, files={}, packages={"edan_dog": ["dog.png"]}))


def test_backgrounds_come_from_background_images_by_probability() -> None:
    white = SourceImage.without_faces(np.full((300, 300), 255, np.uint8))
    sets = {"landmarks68": [source_image(1)], "background_images": [white]}
    options = Composition(scene=0.0, pasted=0, background_image_prob=1.0, distractor_prob=0.0)
    canvas = Composer(sets, 160, options)(np.random.default_rng(0))
    assert canvas.pixels.min() == 255
    dark = Composer(sets, 160, replace(options, dark=1.0))(np.random.default_rng(0))
    assert dark.pixels.mean() < 0.65 * 255
    plain = Composer(sets, 160, replace(options, background_image_prob=0.0, plain=1.0))(
        np.random.default_rng(0)
    )
    assert np.ptp(plain.pixels) == 0


def test_distractors_stay_on_the_image_and_repeat() -> None:
    """Shapes reach over every border; the generator alone decides what they cover."""
    changed = 0.0
    for seed in range(40):
        first, second = (np.full((96, 96), 90, np.uint8) for _ in range(2))
        draw_distractors(first, np.random.default_rng(seed))
        draw_distractors(second, np.random.default_rng(seed))
        np.testing.assert_array_equal(first, second)
        changed += float(np.mean(first != 90)) / 40
    assert 0.1 < changed < 0.9


def test_a_shade_is_uniform_or_graded_in_one_direction() -> None:
    steps = [np.diff(shade((8, 9), np.random.default_rng(seed)), axis=1) for seed in range(30)]
    assert all(np.allclose(step, step[0, 0], atol=1e-3) for step in steps)
    assert 5 < sum(bool(abs(step[0, 0]) > 0.01) for step in steps) < 25


def test_faces_below_the_smallest_size_are_ignored() -> None:
    for smallest, ignore in ((40.0, [False]), (80.0, [True])):
        canvas = Canvas(320, smallest)
        canvas.paste(source_image(), STILL, (0, 0, 320, 320))
        assert canvas.ignore.tolist() == ignore
