"""Five people cross before a camera: the shipped detector and model, and the truth about it."""

from __future__ import annotations

import math
from itertools import groupby

import cv2
import numpy as np
import pytest
from crowd import RATE, Moment, moments, people

from edan_ros.core.faces import Box, Face
from edan_ros.core.images import Image
from edan_ros.engines import create_engine
from edan_ros.engines.detector_engine import create_detector
from edan_ros.pipeline.pipeline import Pipeline

#: Overlap (intersection over union) from which a published face is a person's.
SAME = 0.4


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(create_detector("edan"), create_engine("onnxruntime", "edan-lite"))


@pytest.fixture(scope="module")
def pictures(pipeline: Pipeline) -> list[Moment]:
    data = pytest.importorskip("skimage.data", reason="scikit-image (extra demo) is not installed")
    cbook = pytest.importorskip("matplotlib.cbook", reason="matplotlib (extra demo) is missing")
    collins = Image(np.ascontiguousarray(data.astronaut()), "rgb")
    hopper = cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return list(moments(people((collins, Image(hopper, "bgr")), pipeline)))


def test_the_crowd_crosses_six_times_within_a_second_each(pictures: list[Moment]) -> None:
    """What the next test is worth: people vanish behind others and come back."""
    stretches = []
    for who in range(5):
        for hidden, run in groupby(who in moment.hidden for moment in pictures):
            stretches += [len(list(run)) / RATE] if hidden else []
    crossings = [seconds for seconds in stretches if seconds > 0.4]
    assert len(crossings) == 6
    assert max(crossings) < 1.0


def test_nobody_is_taken_for_somebody_else(pictures: list[Moment], pipeline: Pipeline) -> None:
    mm = pytest.importorskip("motmetrics", reason="motmetrics (extra test) is not installed")
    accumulator = mm.MOTAccumulator(auto_id=True)
    for moment in pictures:
        faces = pipeline.process(moment.image, moment.time, key="crowd").faces
        found = [f for f in faces if not _is_any(f, moment.hidden) or _is_any(f, moment.seen)]
        distances = [[_distance(f, box) for f in found] for box in moment.seen.values()]
        accumulator.update(list(moment.seen), [f.track_id for f in found], distances)
    names = ["num_switches", "mota", "idf1", "num_unique_objects"]
    figures = mm.metrics.create().compute(accumulator, metrics=names, name="crowd").loc["crowd"]
    ids = set(accumulator.mot_events["HId"].dropna())
    assert figures["num_unique_objects"] == len(ids) == 5
    assert figures["num_switches"] == 0
    assert figures["mota"] > 0.98
    assert figures["idf1"] > 0.99


def _is_any(face: Face, boxes: dict[int, Box]) -> bool:
    return any(face.box.iou(box) >= SAME for box in boxes.values())


def _distance(face: Face, box: Box) -> float:
    """1 - IoU; NaN, which means never, where they overlap too little."""
    overlap = face.box.iou(box)
    return 1.0 - overlap if overlap >= SAME else math.nan
