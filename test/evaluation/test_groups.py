"""Accuracy by what pictures say of their faces: each picture is counted where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grey_faces import (
    GreyDetector,
    GreyEngine,
    NoDetector,
    emotion,
    landmarks,
    level_of,
    record,
)

from edan_ros.datasets import FaceSample, FaceSet
from edan_ros.evaluation.emotions import Result, answers, judge
from edan_ros.evaluation.groups import PROPERTIES, Group, groups, table
from edan_ros.evaluation.scales import SEVEN

HAPPY, ANGER = emotion("happy"), emotion("anger")


def judged(*records: FaceSample, crop: str = "given") -> Result:
    faces = FaceSet("all", list(records))
    detector = NoDetector() if crop == "detect" else GreyDetector()
    said = answers(GreyEngine(), faces, crop, detector)
    return judge("mine", "folder", crop, faces, said, SEVEN)


def of(result: Result, name: str) -> Group:
    return next(group for group in groups(result) if group.name == name)


def test_dark_and_light_faces_are_told_apart() -> None:
    dark, light = record(level_of(HAPPY), HAPPY), record(level_of(ANGER), HAPPY)
    result = judged(dark, light)  # the light one is read as anger
    found = {group.name: (group.n, group.right) for group in groups(result)}
    assert found["mean grey level of the face: below 60"] == (1, 1)
    assert found["mean grey level of the face: 180 or more"] == (1, 0)
    assert found["contrast (deviation of grey): below 25"] == (2, 1)
    assert not any(name.startswith("raters") for name in found)


def test_size_and_pose_are_those_of_the_sets_landmarks() -> None:
    turned = landmarks(40.0)
    turned[30] = turned[0] + 0.9 * (turned[16] - turned[0])
    result = judged(record(50, HAPPY, landmarks=turned), record(50, HAPPY, landmarks=landmarks()))
    result = replace(result, answers=[None, None])
    assert of(result, "face, pixels: 32 to 48").n == 1
    assert of(result, "face, pixels: 48 to 96").n == 1
    assert of(result, "turned head, asymmetry: 0.6 or more").n == 1


def test_noise_is_sharper_than_a_slope() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (100, 100), dtype=np.uint8)
    slope = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    points = landmarks(20.0)
    records = [
        FaceSample(str(i), lambda p=p: p, HAPPY, landmarks=points)
        for i, p in enumerate((noise, slope))
    ]
    result = judged(*records)
    assert of(result, "sharpness (grey step a pixel): 26 or more").n == 1
    assert of(result, "sharpness (grey step a pixel): below 12").n == 1


@pytest.mark.parametrize(
    ("agreement", "name"),
    [(0.5, "below 6"), (0.6, "6 to 8"), (0.9, "8 to 10"), (1.0, "10 or more")],
)
def test_raters(agreement: float, name: str) -> None:
    one = replace(record(level_of(HAPPY), HAPPY), agreement=agreement)
    assert of(judged(one), f"raters who agree, of 10: {name}") == Group(
        f"raters who agree, of 10: {name}", 1, 1
    )


def test_a_face_that_is_nowhere_has_no_light() -> None:
    lost = replace(record(0, HAPPY), agreement=1.0)
    result = judged(lost, crop="detect")
    assert [(group.n, group.right) for group in groups(result)] == [(1, 0)]


def test_every_group_of_a_property_has_a_name() -> None:
    for what in PROPERTIES:
        assert len(set(what.names())) == len(what.edges) + 1
    lines = list(table(judged(record(level_of(HAPPY), HAPPY))))
    assert lines[0] == "mine: by what the pictures say of their faces"
    assert "100.0 %" in lines[3]
