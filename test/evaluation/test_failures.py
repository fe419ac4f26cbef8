"""The picture of failures: every spoilt photograph is read, and what is said is drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from grey_faces import GreyDetector, GreyEngine, emotion, landmarks, level_of

from edan_ros.evaluation.failures import SPOILT, Sample, draw, spoil

HAPPY = emotion("happy")


def photograph() -> np.ndarray:
    return np.full((100, 100), level_of(HAPPY), np.uint8)


def test_each_photograph_is_spoilt_in_every_way() -> None:
    samples = dict(
        zip(
            (name for name, _ in SPOILT),
            spoil(GreyEngine(), GreyDetector(), photograph()),
            strict=True,
        )
    )
    assert samples["as it is"].verdict == "happy 0.94"
    np.testing.assert_allclose(samples["as it is"].view.landmarks, landmarks(), atol=0.5)
    # What is all grey and shows happiness is something else when it is lighter.
    assert samples["4 stops over-\nexposed"].verdict != "happy 0.94"
    assert samples["face of\n14 pixels"].view.face == pytest.approx(14, rel=0.05)


def test_they_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    samples = spoil(GreyEngine(), GreyDetector(), photograph())
    lost = [Sample(sample.view, None) for sample in samples]
    assert lost[0].verdict == "not found"
    draw([samples, lost], "grey", tmp_path / "failures.png")
    drawn = cv2.imread(str(tmp_path / "failures.png")).astype(int)
    above, below = np.split(drawn, [drawn.shape[0] // 2])
    dots = [int((part[..., 1] - part[..., 2] > 60).sum()) for part in (above, below)]
    assert dots[0] > 500  # the landmarks
    assert dots[1] == 0
