"""One face explained: the model's own map or the occlusion map, and what it may not be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_model import HAPPY, LANDMARKS, SIZE, KnownEngine, picture

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.explain.explanation import METHODS, Explanation, explain_face


def face(pixels: np.ndarray) -> Face:
    """The face that the pipeline would find if the crop were the whole picture."""
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


def explain(seen: Face, method: str, emotion: int = HAPPY) -> Explanation:
    return explain_face(
        Image(picture(1, smiling=True), "mono"),
        seen,
        emotion,
        method,
        size=SIZE,
        probabilities=lambda crops: softmax(KnownEngine().infer(crops).logits),
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_map_points_at_what_the_model_reads(method: str) -> None:
    seen = face(picture(1, smiling=True))
    found = explain(seen, method)
    np.testing.assert_allclose(found.crop, picture(1, smiling=True), atol=1.0)
    np.testing.assert_allclose(found.landmarks, LANDMARKS, atol=1e-3)
    assert found.probability == seen.raw_probabilities[HAPPY]
    assert found.values.max() == 1.0
    strongest = np.argwhere(found.values == 1.0)[0] * SIZE / found.values.shape
    assert 32 <= strongest[0] <= 48
    assert 16 <= strongest[1] <= 40


def test_the_peak_is_what_the_strongest_place_is_worth() -> None:
    seen = face(picture(1, smiling=True))
    assert explain(seen, "gradcam").peak == pytest.approx(seen.attention[HAPPY].max())
    # Nothing else reads 'happy': once the mouth is covered nearly all of it is gone.
    assert 0.5 < explain(seen, "occlusion").peak <= seen.raw_probabilities[HAPPY]


def test_an_emotion_that_nothing_speaks_for_has_an_empty_map() -> None:
    found = explain(face(picture(1, smiling=True)), "gradcam", EMOTIONS.index("fear"))
    assert not found.values.any()
    assert found.peak == 0.0


def test_unknown_methods_and_faces_without_a_map_are_refused() -> None:
    seen = face(picture(1, smiling=True))
    with pytest.raises(ValueError, match="gradcam or occlusion"):
        explain(seen, "astrology")
    with pytest.raises(ValueError, match="no crop"):
        explain(replace(seen, attention=None), "gradcam")
