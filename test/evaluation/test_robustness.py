"""Distortions move image and landmarks alike, and are compared with the clean images."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from grey_faces import GreyEngine, emotion, face_set, landmarks, level_of, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.datasets import DataError, FaceSet
from edan_ros.evaluation import distortions
from edan_ros.evaluation.distortions import FaceImage
from edan_ros.evaluation.robustness import (
    CLEAN,
    CONDITIONS,
    ConditionResult,
    evaluate_robustness,
    table,
)

RNG = np.random.default_rng(0)


def dotted(face: float = 200.0) -> FaceImage:
    """A bright dot on every landmark of a dark image."""
    points = landmarks(face, 1.2 * face).astype(float)
    side = int(2.4 * face)
    pixels = np.zeros((side, side), np.uint8)
    for x, y in points:
        cv2.circle(pixels, (round(x * 16), round(y * 16)), 4 * 16, 255, -1, shift=4)
    return FaceImage(pixels, points)


def level_at(view: FaceImage) -> np.ndarray:
    index = np.round(view.landmarks).astype(int)
    return view.pixels[index[:, 1], index[:, 0]]


@given(degrees=st.floats(0, 45))
@settings(max_examples=20, deadline=None)
def test_landmarks_rotate_with_the_image(degrees: float) -> None:
    distorted = distortions.rotated(degrees)(dotted(), np.random.default_rng(1))
    assert (level_at(distorted) > 100).all()
    before, after = dotted().landmarks, distorted.landmarks
    across = [p[16] - p[0] for p in (before, after)]
    turn = abs(math.atan2(across[1][1], across[1][0]) - math.atan2(across[0][1], across[0][0]))
    assert math.degrees(turn) == pytest.approx(degrees, abs=1e-3)


@given(face=st.floats(20, 96))
@settings(max_examples=20, deadline=None)
def test_landmarks_shrink_with_the_image(face: float) -> None:
    distorted = distortions.downscaled(face)(dotted(), RNG)
    assert distorted.face_size == pytest.approx(face, rel=1e-3)
    assert np.median(level_at(distorted)) > 60
    assert distortions.downscaled(201.0)(dotted(), RNG) is None


def test_blur_grows_with_the_face() -> None:
    """Of a step edge, the width over which it is smeared is in parts of the face."""
    for size in (100.0, 200.0):
        pixels = np.zeros((400, 400), np.uint8)
        pixels[:, 200:] = 200
        distorted = distortions.blurred(0.04)(FaceImage(pixels, landmarks(size, 200.0)), RNG)
        row = distorted.pixels[200].astype(float) / 200
        smeared = int(((row > 0.16) & (row < 0.84)).sum())  # two standard deviations
        assert smeared == pytest.approx(2 * 0.04 * size, abs=1.5)


def test_noise_has_its_deviation() -> None:
    view = FaceImage(np.full((200, 200), 128, np.uint8), landmarks())
    noise = distortions.noisy(10)(view, np.random.default_rng(0)).pixels.astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.03)


@pytest.mark.parametrize(
    ("stops", "level", "expected"), [(-2.2, 200, 100), (2.2, 100, 200), (2.2, 200, 255), (0, 7, 7)]
)
def test_exposure_is_in_stops_of_linear_light(stops: float, level: int, expected: int) -> None:
    """2.2 stops at gamma 2.2 double or halve the grey level."""
    view = FaceImage(np.full((4, 4), level, np.uint8), landmarks())
    assert distortions.exposed(stops)(view, RNG).pixels[0, 0] == expected


def test_jpeg_of_lower_quality_differs_more() -> None:
    view = dotted()
    off = [
        np.abs(distortions.compressed(q)(view, RNG).pixels.astype(float) - view.pixels).mean()
        for q in (90, 50, 10)
    ]
    assert 0 < off[0] < off[1] < off[2]


def test_a_mask_covers_the_mouth_and_sunglasses_the_eyes() -> None:
    view = dotted()
    mouth, eyes, brows = slice(48, 68), slice(36, 48), slice(17, 27)
    masked = level_at(distortions.masked()(view, RNG))
    assert (masked[mouth] == distortions.MASK).all()
    assert (masked[eyes] > 200).all()
    glasses = level_at(distortions.sunglasses()(view, RNG))
    assert (glasses[eyes] == distortions.GLASSES).all()
    assert (glasses[mouth] > 200).all()
    assert (glasses[brows] > 200).any()


def test_asymmetry_by_hand() -> None:
    face = landmarks().astype(float)
    assert distortions.asymmetry(face) == pytest.approx(0.0, abs=0.02)
    turned = face.copy()
    turned[30] = face[0] + 0.9 * (face[16] - face[0])  # distances 0.9 and 0.1 of the whole
    assert distortions.asymmetry(turned) == pytest.approx(0.8, abs=1e-6)
    assert distortions.asymmetry(2.0 * turned + 5.0) == pytest.approx(0.8, abs=1e-6)


def test_every_condition_is_compared_with_clean() -> None:
    """Grey faces are read right until their grey level is changed."""
    happy, sad = emotion("happy"), emotion("sad")
    faces = face_set((level_of(happy), happy), (level_of(sad), sad))
    faces.samples.append(sample(90, sad))  # without landmarks: takes no part
    rows = {
        row.title: row.figures["mine"] for row in evaluate_robustness(GreyEngine(), {"mine": faces})
    }
    assert list(rows) == [condition.title for condition in CONDITIONS]
    assert all(set(row) == set(rows[CLEAN]) for row in rows.values())
    assert (rows[CLEAN]["n"], rows[CLEAN]["accuracy"]) == (2, 1.0)
    assert rows[CLEAN]["landmark_error"] == pytest.approx(0.0, abs=0.02)
    dark = rows["under-exposed, stops: 4"]
    assert (dark["accuracy"], dark["accuracy_change"], dark["accuracy_change_95"]) == (0.0, -1.0, 0)
    assert rows["JPEG 50"]["accuracy"] == 1.0
    assert rows["face of 48 px"]["n"] == 2
    assert rows["face of 96 px"]["n"] == 0
    assert math.isnan(rows["face of 96 px"]["accuracy"])
    assert rows["yaw: asymmetry below 0.15"]["n"] == 2
    assert rows["yaw: asymmetry above 0.6"]["n"] == 0


def test_changes_are_of_the_same_images() -> None:
    """Only one face is large enough to be reduced; the other, misread, is not held against it."""
    happy = emotion("happy")
    faces = face_set((level_of(happy), happy))
    small = sample(level_of(emotion("sad")), happy, landmarks=landmarks(40.0))
    faces.samples.append(small)
    rows = {
        row.title: row.figures["mine"] for row in evaluate_robustness(GreyEngine(), {"mine": faces})
    }
    assert (rows[CLEAN]["n"], rows[CLEAN]["accuracy"]) == (2, 0.5)
    reduced = rows["face of 48 px"]
    assert (reduced["n"], reduced["accuracy"], reduced["accuracy_change"]) == (1, 1.0, 0.0)


def test_turned_heads_are_compared_with_all() -> None:
    happy, sad = emotion("happy"), emotion("sad")
    turned = landmarks()
    turned[30] = turned[0] + 0.9 * (turned[16] - turned[0])
    faces = face_set((level_of(happy), happy), (level_of(happy), happy))
    faces.samples.append(sample(level_of(happy), sad, landmarks=turned))
    rows = {
        row.title: row.figures["mine"] for row in evaluate_robustness(GreyEngine(), {"mine": faces})
    }
    far, front = (rows[f"yaw: asymmetry {which}"] for which in ("above 0.6", "below 0.15"))
    assert (far["n"], far["accuracy"], front["accuracy"]) == (1, 0.0, 1.0)
    assert far["accuracy_change"] == pytest.approx(-2 / 3)
    assert front["accuracy_change"] == pytest.approx(1 / 3)


def test_a_set_without_landmarks_is_refused() -> None:
    with pytest.raises(DataError, match="mine: no image has landmarks"):
        next(evaluate_robustness(GreyEngine(), {"mine": FaceSet("all", [sample(100, 1)])}))


def test_the_table_shows_the_change() -> None:
    nan = math.nan

    def figures(*fer: float) -> dict[str, dict[str, float]]:
        keys = ("accuracy", "accuracy_change", "accuracy_change_95")
        error = {"landmark_error": 0.05, "landmark_error_change": 0.01}
        error |= {"landmark_error_change_95": 0.002}
        return {
            "fer": {"n": 10, **dict(zip(keys, fer, strict=True)), **error},
            "points": {"n": 5, **dict.fromkeys(keys, nan), **error},
        }

    rows = [
        ConditionResult("clean", figures(0.8, 0.0, 0.0)),
        ConditionResult("dark", figures(0.7, -0.1, 0.02)),
    ]
    lines = list(table(rows, ["fer"]))
    assert [cell.strip() for cell in lines[0].split("|")[2:-1]] == [
        *("fer, accuracy", "against clean", "n"),
        *("points, landmark error", "against clean", "n"),
    ]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:4]]
    assert cells[0] == ["clean", "80.0 %", "", "10", "5.0 %", "", "5"]
    assert cells[1] == ["dark", "70.0 %", "-10.0 ± 2.0", "10", "5.0 %", "+1.0 ± 0.2", "5"]
    everything = list(
        table([ConditionResult(row.title, {"fer": row.figures["fer"]}) for row in rows], ["fer"])
    )
    assert "fer, landmark error" in everything[0]
