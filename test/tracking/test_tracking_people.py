"""Five people cross in front of a camera: shipped detector and model against ground truth."""

from __future__ import annotations

from itertools import groupby

import cv2
import numpy as np
import pytest
from crowd import RATE, CrowdFrame, crowd_frames, walkers
from tracking_metrics import evaluate_tracks

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine
from edan_ros.pipeline.pipeline import Pipeline

#: IoU from which a reported face is that of a person.
MIN_IOU = 0.4


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(create_detector("edan"), create_engine("onnxruntime", "edan-lite", threads=1))


@pytest.fixture(scope="module")
def crowd(pipeline: Pipeline) -> list[CrowdFrame]:
    data = pytest.importorskip("skimage.data", reason="scikit-image (extra demo) is not installed")
    cbook = pytest.importorskip("matplotlib.cbook", reason="matplotlib (extra demo) is missing")
    collins = Image(np.ascontiguousarray(data.astronaut()), "rgb")
    hopper = cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return list(crowd_frames(walkers((collins, Image(hopper, "bgr")), pipeline)))


def test_the_crowd_crosses_six_times_within_a_second_each(crowd: list[CrowdFrame]) -> None:
    """The precondition of the next test: people vanish behind others and return."""
    stretches = []
    for index in range(5):
        for hidden, run in groupby(index in frame.hidden for frame in crowd):
            stretches += [len(list(run)) / RATE] if hidden else []
    crossings = [seconds for seconds in stretches if seconds > 0.4]
    assert len(crossings) == 6
    assert max(crossings) < 1.0


def test_no_identity_is_switched(crowd: list[CrowdFrame], pipeline: Pipeline) -> None:
    frames = []
    for frame in crowd:
        faces = pipeline.process(frame.image, frame.time, key="crowd").faces
        found = [f for f in faces if not _is_any(f, frame.hidden) or _is_any(f, frame.visible)]
        frames.append((frame.visible, {face.track_id: face.box for face in found}))
    metrics = evaluate_tracks(frames, MIN_IOU)
    assert metrics.tracks == 5
    assert metrics.switches == 0
    assert metrics.mota > 0.98
    assert metrics.idf1 > 0.99


def test_metrics_of_tracks_by_hand() -> None:
    """Two people in four frames: the tracks swap after the second, and one box is false."""
    left, right, nowhere = Box(0, 0, 10, 10), Box(50, 0, 10, 10), Box(200, 0, 10, 10)
    truth = {1: left, 2: right}
    frames = [(truth, {7: left, 8: right})] * 2 + [(truth, {8: left, 7: right, 9: nowhere})]
    frames.append((truth, {8: left}))
    metrics = evaluate_tracks(frames, MIN_IOU)
    assert (metrics.switches, metrics.tracks) == (2, 3)
    assert metrics.mota == pytest.approx(1 - (1 + 1 + 2) / 8)
    # Best assignment: track 7 to person 1 and 8 to person 2, two frames each.
    assert metrics.idf1 == pytest.approx(2 * 4 / (8 + 8))


def _is_any(face: Face, boxes: dict[int, Box]) -> bool:
    return any(face.box.iou(box) >= MIN_IOU for box in boxes.values())
