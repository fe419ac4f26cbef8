"""The comparison with alternatives, of which none is installed here."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from edan_ros.benchmark.peers import measure_peer, measure_peers
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets.face_set import FaceSample
from edan_ros.datasets.files import DataError

SMALL, LARGE = Box(0, 0, 5, 5), Box(20, 0, 30, 30)
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def sample(level: int, emotion: int) -> FaceSample:
    pixels = np.full((40, 60), level, np.uint8)
    return FaceSample(str(level), lambda: pixels, emotion)


def test_the_largest_face_of_each_image_counts() -> None:
    found = {10: [(SMALL, SAD), (LARGE, HAPPY)], 20: [], 30: [(LARGE, SAD)]}
    ticks = itertools.count(0.0, 0.25)
    row = measure_peer(
        "system",
        lambda pixels: found[int(pixels[0, 0, 0])],
        [sample(10, HAPPY), sample(20, HAPPY), sample(30, HAPPY)],
        clock=lambda: next(ticks),
    )
    assert (row.system, row.images, row.faces, row.ms) == ("system", 3, 3, 250.0)
    assert row.with_face == pytest.approx(2 / 3, abs=1e-4)
    assert row.accuracy == pytest.approx(1 / 3, abs=1e-4)


class FakeFer:
    def detect_emotions(self, pixels: np.ndarray) -> list[dict]:
        emotions = {"angry": 0.1, "happy": 0.7, "surprise": 0.2}
        return [{"box": [0, 0, *pixels.shape[1::-1]], "emotions": emotions}]


def test_what_is_installed_is_measured_and_the_rest_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("happy", "angry"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "1.png"), np.full((64, 64, 3), 90, np.uint8))
    monkeypatch.setenv("EDAN_ROS_MODELS", str(tmp_path / "none"))
    module = ModuleType("fer")
    module.FER = FakeFer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fer", module)
    missing: list[str] = []
    own, fer = measure_peers(tmp_path, "edan-lite", 1, 10, missing.append)
    assert (own.system, own.images, own.faces) == ("edan_ros edan-lite", 2, 0)
    assert (fer.system, fer.faces, fer.accuracy) == ("fer", 2, 0.5)
    assert missing == [
        "OpenCV YuNet + expression model: run `edan models fetch yunet` and `edan models fetch "
        "fer-opencv` to measure it"
    ]


def test_a_folder_without_emotions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder of images for each emotion"):
        measure_peers(tmp_path / "missing", "edan-lite", 1, 10, print)
