"""The second pass over a recording."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scenes import Disc, DiscDetector, DiscEngine, scene

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_REASONS
from edan_ros.offline.two_pass import TwoPassSmoother
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline

STEP = 1 / 30
NEUTRAL, HAPPY = EMOTIONS.index("neutral"), EMOTIONS.index("happy")
RESTING = (2.0, -1.0, 0.5, -1.0, 0.0, 0.0, 0.0)
TURNED = UNKNOWN_REASONS.index("turned_away")


def logits_of(emotion: int) -> np.ndarray:
    return (6.0 * np.eye(7)[emotion]).astype(np.float32)


def recording(emotions: list[int], engine: DiscEngine | None = None, **settings):
    """Results of a still disc with these emotions, after the second pass, and of the first."""
    engine = engine or DiscEngine()
    config = PipelineConfig(**settings)
    pipeline = Pipeline(DiscDetector(), engine, config)
    smoother, first = TwoPassSmoother(config, engine.manifest), []
    for i, emotion in enumerate(emotions):
        result = pipeline.process(scene([Disc(320, 240)]), i * STEP)
        result.faces = [replace(face, logits=logits_of(emotion)) for face in result.faces]
        first.append(result)
        smoother.add(i * STEP, result)
    return smoother.finish(), first


def test_labels_change_where_the_face_does() -> None:
    """The confirmation time is all that is left of the delay: 4 images at 30 per second."""
    results, _ = recording([NEUTRAL] * 30 + [HAPPY] * 30)
    labels = [result.faces[0].emotion for result in results]
    assert labels.index(HAPPY) in range(30, 35)


def test_geometry_and_raw_probabilities_stay_as_they_were() -> None:
    results, first = recording([NEUTRAL] * 3)
    for after, before in zip(results, first, strict=True):
        (face,), (original,) = after.faces, before.faces
        assert face.box == original.box
        assert face.track_id == original.track_id
        np.testing.assert_array_equal(face.landmarks, original.landmarks)
        np.testing.assert_array_equal(face.raw_probabilities, original.raw_probabilities)


def test_the_resting_face_holds_from_the_first_image_on() -> None:
    engine = DiscEngine(resting_logits=RESTING)
    results, _ = recording([NEUTRAL] * 60, engine)
    seconds = {result.faces[0].baseline_seconds for result in results}
    assert len(seconds) == 1
    assert seconds.pop() > 1.0
    assert all(result.faces[0].intensity == pytest.approx(0.0) for result in results)


def test_without_a_resting_baseline_the_intensity_is_unknown() -> None:
    engine = DiscEngine(resting_logits=RESTING)
    results, _ = recording([HAPPY] * 3, engine, resting_baseline=False)
    assert math.isnan(results[0].faces[0].intensity)
    assert results[0].faces[0].baseline_seconds == 0.0


def test_images_without_faces_keep_their_place() -> None:
    engine = DiscEngine()
    smoother = TwoPassSmoother(PipelineConfig(), engine.manifest)
    pipeline = Pipeline(DiscDetector(), engine)
    empty, full = pipeline.process(scene([]), 0.0), pipeline.process(scene([Disc(320, 240)]), STEP)
    smoother.add(0.0, empty)
    smoother.add(STEP, full)
    assert [len(result.faces) for result in smoother.finish()] == [0, len(full.faces)]


def test_a_head_turned_away_stays_unknown() -> None:
    engine = DiscEngine()
    config = PipelineConfig()
    smoother = TwoPassSmoother(config, engine.manifest)
    result = Pipeline(DiscDetector(), engine, config).process(scene([Disc(320, 240)]), 0.0)
    result.faces = [replace(face, excluded=TURNED) for face in result.faces]
    smoother.add(0.0, result)
    (face,) = smoother.finish()[0].faces
    assert (face.label, face.unknown_reason) == ("unknown", TURNED)
    assert math.isnan(face.valence)
