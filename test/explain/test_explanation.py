"""Explanations of one face by attention and by occlusion, and invalid requests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_model import HAPPY, LANDMARKS, SIZE, KnownEngine, make_image

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
