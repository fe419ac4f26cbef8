"""A study of a model with known evidence finds it and reports empty and unfaithful maps."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from known_model import HAPPY, SAD, KnownEngine, faces

from edan_ros.explain.emfacs import LANDMARK_SETS, overlap_chance
from edan_ros.explain.mean_shape import AREAS, area_masks
from edan_ros.explain.study import ALL, CENTRE, RANDOM, Study, run_study
from edan_ros.explain.study_figures import draw_curves, draw_mean_maps
from edan_ros.explain.study_tables import area_shares, gains, markdown, overlaps


@pytest.fixture(scope="module")
def study() -> Study:
    return run_study(faces(happy=6, sad=3, mislabelled=2), KnownEngine(), count=5)


def test_faces_with_another_predicted_emotion_are_excluded(study: Study) -> None:
    assert [face.emotion for face in study.faces] == [HAPPY] * 5 + [SAD] * 3
    assert 5 <= study.examined[HAPPY] <= 7
    assert study.examined[SAD] == 3
    assert sum(study.examined) == study.examined[HAPPY] + 3


def test_the_same_seed_gives_the_same_study(study: Study) -> None:
    again = run_study(faces(happy=6, sad=3, mislabelled=2), KnownEngine(), count=5)
    assert markdown(again) == markdown(study)


def test_the_maps_are_located_at_the_evidence(study: Study) -> None:
    for method in ("gradcam", "occlusion"):
        shares = area_shares(study.of(HAPPY), method)
        assert tuple(shares) == AREAS
        assert max(shares, key=lambda area: shares[area].mean) == "mouth"
        assert sum(share.mean for share in shares.values()) == pytest.approx(1.0)
        assert shares["mouth"].low > area_masks()["mouth"].mean()
        own, _ = overlaps(study, method, "happy")
        assert len(own) == 5
        assert own.min() > 1.2 * overlap_chance(LANDMARK_SETS["happy"])
    # The maps of 'sad' are empty and therefore omitted.
    assert set(study.mean_maps("gradcam")) == {"happy", ALL}
    assert len(overlaps(study, "gradcam", "sad")[0]) == 0
    assert len(overlaps(study, "gradcam", "happy")[1]) == 0


def test_faithful_maps_are_better_than_random_ones(study: Study) -> None:
    happy = study.of(HAPPY)
    for curve in ("deletion", "insertion"):
        for method in ("gradcam", "occlusion"):
            assert gains(happy, curve, method).min() > 0.0
            assert gains(happy, curve, method).mean() > 0.1
        np.testing.assert_array_equal(gains(happy, curve, RANDOM), 0.0)
        assert gains(happy, curve, CENTRE).mean() < gains(happy, curve, "gradcam").mean()


def test_the_tables_contain_the_results(study: Study) -> None:
    text = markdown(study)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"| happy | {study.examined[HAPPY]} | 5 |" in lines
    assert "attention (HiResCAM): 38% of the maps are empty." in lines
    assert "nan" not in text
    # Significant values are bold; 'sad' has none, because its maps are empty.
    assert any(line.startswith("| happy |") and "**" in line for line in lines)
    assert "| sad | - | - | - | - | - | - | - | - |" in lines
    # Every row has as many cells as the head of its table.
    rows = [line.count("|") for line in lines]
    for before, now in itertools.pairwise(rows):
        assert not before or not now or before == now


def test_averaged_maps_are_compared_when_given() -> None:
    empty = np.zeros((7, 4, 4), np.float32)
    study = run_study(faces(2, 1), KnownEngine(), count=2, averaged=lambda _: empty)
    assert "Grad-CAM, averaged: 100% of the maps are empty." in markdown(study)


def test_the_figures_show_the_maps(study: Study) -> None:
    figure = draw_mean_maps(study, "gradcam")
    hue = cv2.cvtColor(figure, cv2.COLOR_BGR2HSV)
    red = (hue[..., 1] > 150) & ((hue[..., 0] < 10) | (hue[..., 0] > 170))
    # Only 'all' and 'happy' have a map; the tiles of other emotions have no colour.
    columns = np.flatnonzero(red.any(axis=0))
    assert columns.min() > 190
    assert columns.max() < 190 + 3 * 170
    drawn = [node.text for node in ElementTree.fromstring(draw_curves(study)).iter()]
    titles = [text for text in drawn if text and text.endswith(("deletion", "insertion"))]
    assert titles == [f"{e}, {c}" for e in ("happy", "sad") for c in ("deletion", "insertion")]
    assert drawn.count("occlusion") == 1, "the panels share one legend"
