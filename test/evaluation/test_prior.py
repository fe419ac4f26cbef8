"""The class prior in an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from grey_faces import SIZE, GreyDetector, GreyEngine, emotion, face_set, level_of

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.inference import class_probabilities
from edan_ros.engines import Manifest
from edan_ros.evaluation.classes import SEVEN
from edan_ros.evaluation.classification import evaluate, predict_set
from edan_ros.evaluation.prior import PriorEngine, describe_prior, prior_strength

PRIOR = (0.5, 0.3, 0.04, 0.04, 0.04, 0.04, 0.04)
HAPPY, FEAR = emotion("happy"), emotion("fear")


@pytest.mark.parametrize(
    ("text", "strength"), [("uniform", 0.0), ("natural", 1.0), ("0.5", 0.5), ("0", 0.0)]
)
def test_strengths_by_name_and_number(text: str, strength: float) -> None:
    assert prior_strength(text) == strength


@pytest.mark.parametrize("text", ["", "nan", "-0.1", "1.1", "flat"])
def test_other_strengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be uniform, natural or a number from 0 to 1"):
        prior_strength(text)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("crop", ["given", "detect"])
def test_probabilities_have_the_prior_at_every_crop(strength: float, crop: str) -> None:
    engine, faces = GreyEngine(0.4, PRIOR), face_set((level_of(FEAR), FEAR))
    (prediction,) = predict_set(PriorEngine(engine, strength), faces, crop, GreyDetector())
    logits = np.log(np.where(np.arange(7) == FEAR, 0.4, 0.1))[None]
    wanted = class_probabilities(logits, engine.manifest, strength)[0]
    np.testing.assert_allclose(prediction.probabilities, wanted, atol=1e-5)


def test_calibration_is_that_of_the_prior() -> None:
    """Right at confidence 0.4 without the prior; predicted as neutral at .5/.78 with it."""
    faces, errors = face_set((level_of(FEAR), FEAR)), []
    for strength in (0.0, 1.0):
        engine = PriorEngine(GreyEngine(0.4, PRIOR), strength)
        results = predict_set(engine, faces, "given", GreyDetector())
        found = evaluate("a", "folder", "given", faces, results, SEVEN)
        errors.append((found.accuracy.value, found.reliability.error))
    confidence = 0.05 / (0.05 + 0.03 + 4 * 0.004 + 0.016)
    np.testing.assert_allclose(errors, [(1.0, 0.6), (0.0, confidence)], atol=1e-5)


def test_a_model_whose_logits_include_the_prior_is_unchanged() -> None:
    plain = GreyEngine(0.4)
    engine = PriorEngine(plain, 1.0)
    crops = np.full((1, 1, SIZE, SIZE), level_of(HAPPY), np.float32)
    np.testing.assert_array_equal(engine.infer(crops).logits, plain.infer(crops).logits)
    assert engine.strength is None
    assert "inside the logits" in describe_prior(engine.strength)


def test_the_prior_of_three_classes() -> None:
    """Each of the three classes stands for one emotion."""
    engine = GreyEngine(0.4)
    labels = ("neutral", "positive", "negative")
    engine.manifest = Manifest(
        engine.manifest.path, "grey", "1", "", SIZE, labels=labels, class_prior=(0.6, 0.3, 0.1)
    )
    crops = np.full((1, 1, SIZE, SIZE), level_of(HAPPY), np.float32)
    shift = (PriorEngine(engine, 1.0).infer(crops).logits - engine.infer(crops).logits)[0]
    by_name = dict(zip(EMOTIONS, np.exp(shift), strict=True))
    assert by_name["neutral"] == pytest.approx(0.6)
    assert by_name["happy"] == pytest.approx(0.3)
    assert by_name["sad"] == pytest.approx(0.1)


def test_priors_are_described() -> None:
    assert describe_prior(0.0) == "class prior: uniform, strength 0"
    assert describe_prior(1.0) == "class prior: natural, strength 1"
    assert describe_prior(0.25) == "class prior: of the training set, strength 0.25"
