"""Groups of people and of images: every sample is counted in its groups."""

from __future__ import annotations

import json
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
    sample,
)

from edan_ros.datasets import FaceSample, FaceSet
from edan_ros.evaluation import groups
from edan_ros.evaluation.classes import SEVEN
from edan_ros.evaluation.classification import SetResult, evaluate, predict_set
from edan_ros.evaluation.groups import PROPERTIES, attribute_groups, image_groups
from edan_ros.evaluation.metrics import Proportion

HAPPY, ANGER, NEUTRAL = emotion("happy"), emotion("anger"), emotion("neutral")


def evaluated(*samples: FaceSample, crop: str = "given", detects: bool = True) -> SetResult:
    faces = FaceSet("all", list(samples))
    results = predict_set(GreyEngine(), faces, crop, GreyDetector() if detects else NoDetector())
    return evaluate("mine", "folder", crop, faces, results, SEVEN)


def person(level: int, truth: int, name: str, **attributes: str) -> FaceSample:
    return sample(level, truth, attributes={"person": name, **attributes})


@pytest.fixture
def people() -> SetResult:
    """Ann smiles and is neutral; Bob's smile is taken for neutral; Cid is not found."""
    return evaluated(
        person(level_of(NEUTRAL), NEUTRAL, "ann", sex="female", age="24"),
        person(level_of(HAPPY), HAPPY, "ann", sex="female", age="24"),
        person(level_of(NEUTRAL), HAPPY, "bob", sex="male", age="30"),
        person(0, HAPPY, "cid", sex="male"),
        crop="detect",
    )


def test_groups_of_people_by_hand(people: SetResult) -> None:
    found = {group.name: group for group in attribute_groups(people)}
    assert list(found) == ["all", "sex: female", "sex: male", "age: below 25", "age: 25 to 34"]
    assert (found["all"].people, found["all"].images) == (3, 4)
    assert found["all"].accuracy == Proportion(2, 4)
    assert found["sex: female"].recalls == {"neutral": Proportion(1, 1), "happy": Proportion(1, 1)}
    male = found["sex: male"]
    assert (male.recalls["happy"], male.detector_recall) == (Proportion(0, 2), Proportion(1, 2))
    assert male.recalls["neutral"] == Proportion(0, 0)
    assert np.isnan(male.landmark_error)


def test_groups_of_people_as_table_and_json(people: SetResult) -> None:
    lines = list(groups.attribute_table(people))
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines[3:]}
    assert [cell.strip() for cell in cells["sex: male"]] == [
        *("2", "2", "-", "0.0 % (0 to 66)", "0.0 % (0 to 66)", "50.0 % (9 to 91)", "-")
    ]
    figures = json.loads(json.dumps(groups.attributes_as_json(people)))
    male = next(group for group in figures if group["group"] == "sex: male")
    assert male["recall"]["happy"]["n"] == 2
    assert male["detector_recall"]["value"] == 0.5
    assert male["landmark_error"] is None


def test_annotated_crops_have_no_detector_recall() -> None:
    result = evaluated(sample(50, HAPPY, landmarks=landmarks(), attributes={"sex": "male"}))
    assert attribute_groups(result)[0].detector_recall == Proportion(0, 0)
    assert attribute_groups(result)[0].landmark_error == pytest.approx(0.0, abs=1e-3)


def test_a_set_without_attributes_has_no_groups_of_people() -> None:
    result = evaluated(sample(level_of(HAPPY), HAPPY))
    assert attribute_groups(result) == list(groups.attribute_table(result)) == []


def test_dark_and_light_faces_are_in_different_groups() -> None:
    dark, light = sample(level_of(HAPPY), HAPPY), sample(level_of(ANGER), HAPPY)
    found = image_groups(evaluated(dark, light))  # the light one is predicted as anger
    assert found["mean grey level of the face: below 60"] == Proportion(1, 1)
    assert found["mean grey level of the face: 180 or more"] == Proportion(0, 1)
    assert found["contrast (deviation of grey): below 25"] == Proportion(1, 2)
    assert not any(name.startswith("raters") for name in found)


def test_size_and_pose_are_those_of_the_sets_landmarks() -> None:
    turned = landmarks(40.0)
    turned[30] = turned[0] + 0.9 * (turned[16] - turned[0])
    result = evaluated(
        sample(50, HAPPY, landmarks=turned), sample(50, HAPPY, landmarks=landmarks())
    )
    result = replace(result, predictions=[None, None])
    assert image_groups(result)["face, pixels: 32 to 48"].n == 1
    assert image_groups(result)["face, pixels: 48 to 96"].n == 1
    assert image_groups(result)["turned head, asymmetry: 0.6 or more"].n == 1


def test_noise_is_sharper_than_a_slope() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (100, 100), dtype=np.uint8)
    slope = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    points = landmarks(20.0)
    samples = [
        FaceSample(str(i), lambda p=p: p, HAPPY, landmarks=points)
        for i, p in enumerate((noise, slope))
    ]
    result = evaluated(*samples)
    assert image_groups(result)["sharpness (grey step a pixel): 26 or more"].n == 1
    assert image_groups(result)["sharpness (grey step a pixel): below 12"].n == 1


@pytest.mark.parametrize(
    ("agreement", "name"),
    [(0.5, "below 6"), (0.6, "6 to 8"), (0.9, "8 to 10"), (1.0, "10 or more")],
)
def test_agreement_of_the_annotators(agreement: float, name: str) -> None:
    one = replace(sample(level_of(HAPPY), HAPPY), agreement=agreement)
    found = image_groups(evaluated(one))
    assert found[f"raters who agree, of 10: {name}"] == Proportion(1, 1)


def test_a_face_that_is_not_found_has_no_light() -> None:
    lost = replace(sample(0, HAPPY), agreement=1.0)
    result = evaluated(lost, crop="detect", detects=False)
    assert list(image_groups(result).values()) == [Proportion(0, 1)]


def test_every_group_of_a_property_has_a_name() -> None:
    for each in PROPERTIES:
        assert len(set(each.names())) == len(each.edges) + 1
    lines = list(groups.image_table(evaluated(sample(level_of(HAPPY), HAPPY))))
    assert lines[0] == "mine: groups of images; accuracy with its 95 % interval (Wilson)"
    assert "100.0 %" in lines[3]
