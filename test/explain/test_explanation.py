"""Explanations of one face by attention and by occlusion, and invalid requests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_model import HAPPY, LANDMARKS, SAD, SIZE, KnownEngine, make_image

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.explain.explanation import METHODS, Explanation, explain_face


def face(pixels: np.ndarray) -> Face:
    """Return the face that the pipeline finds in an image that is its own crop."""
    found = KnownEngine().infer(pixels[None, None].astype(np.float32))
    probabilities = softmax(found.logits)[0]
    return Face(
        track_id=1,
        box=Box.from_landmarks(LANDMARKS),
        presence=0.99,
        landmarks=LANDMARKS,
        emotion=HAPPY,
        label="happy",
        confidence=0.9,
        probabilities=probabilities,
        raw_probabilities=probabilities,
        polarity=1,
        polarity_probabilities=np.array([0.0, 1.0, 0.0]),
        valence=0.8,
        arousal=0.5,
        attention=found.attention[0],
        crop=Crop.from_landmarks(LANDMARKS),
    )


def explain(subject: Face, method: str, emotion: int = HAPPY) -> Explanation:
    return explain_face(
        Image(make_image(1, smiling=True), "mono"),
        subject,
        emotion,
        method,
        size=SIZE,
        probabilities=lambda crops: softmax(KnownEngine().infer(crops).logits),
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_map_highlights_what_the_model_depends_on(method: str) -> None:
    subject = face(make_image(1, smiling=True))
    found = explain(subject, method)
    np.testing.assert_allclose(found.crop, make_image(1, smiling=True), atol=1.0)
    np.testing.assert_allclose(found.landmarks, LANDMARKS, atol=1e-3)
    assert found.probability == subject.raw_probabilities[HAPPY]
    assert found.values.max() == 1.0
    strongest = np.argwhere(found.values == 1.0)[0] * SIZE / found.values.shape
    assert 32 <= strongest[0] <= 48
    assert 16 <= strongest[1] <= 40


def test_the_peak_is_the_effect_of_the_strongest_location() -> None:
    subject = face(make_image(1, smiling=True))
    assert explain(subject, "gradcam").peak == pytest.approx(subject.attention[HAPPY].max())
    # Only the mouth is evidence for 'happy': covering it removes nearly all of the probability.
    assert 0.5 < explain(subject, "occlusion").peak <= subject.raw_probabilities[HAPPY]


@pytest.mark.parametrize("method", METHODS)
def test_the_sentence_names_the_part_that_decided(method: str) -> None:
    subject = face(make_image(1, smiling=True))
    found = explain(subject, method)
    assert "lip" in found.parts[0] or "mouth" in found.parts[0]
    assert found.sentence.startswith(f"The {found.parts[0]} decided most")
    other = explain(subject, method, SAD)
    assert other.sentence == "No part of the face speaks for sad."


def test_a_part_that_hardly_changes_the_probability_has_not_decided() -> None:
    subject = face(make_image(1, smiling=True))
    found = replace(explain(subject, "occlusion"), drops=np.full((8, 8), 0.01))
    assert found.sentence == "No part decided alone: without any one of them it remains happy."


def test_the_drops_of_attention_are_those_without_the_contributions_of_a_patch() -> None:
    subject = face(make_image(1, smiling=True))
    found = explain(subject, "gradcam")
    # The map has two equal cells beside each other; a patch is two cells wide and centred on one.
    lost = 1.5 * subject.attention[HAPPY].max()
    p = subject.raw_probabilities[HAPPY]
    odds = p / (1.0 - p) * np.exp(-lost)
    assert found.drops.max() == pytest.approx(p - odds / (1.0 + odds), abs=1e-6)
    assert explain(subject, "occlusion").drops.max() == explain(subject, "occlusion").peak


def test_an_emotion_without_evidence_has_an_empty_map() -> None:
    found = explain(face(make_image(1, smiling=True)), "gradcam", EMOTIONS.index("fear"))
    assert not found.values.any()
    assert found.peak == 0.0


def test_unknown_methods_and_faces_without_a_map_are_rejected() -> None:
    subject = face(make_image(1, smiling=True))
    with pytest.raises(ValueError, match="gradcam or occlusion"):
        explain(subject, "astrology")
    with pytest.raises(ValueError, match="no crop"):
        explain(replace(subject, attention=None), "gradcam")
