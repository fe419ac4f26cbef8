"""The pipeline with the shipped model on photographs and clips."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image, decode_compressed
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine
from edan_ros.pipeline.pipeline import Pipeline

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "data" / "media"
needs_media = pytest.mark.skipif(not MEDIA.is_dir(), reason="../shared/data/media is not here")


@pytest.fixture(scope="module")
def engine():
    return create_engine("onnxruntime", "edan-lite")


@pytest.fixture
def detector() -> Detector:
    return create_detector("edan")


def run(pipeline: Pipeline, name: str) -> tuple[list[FrameResult], float]:
    """Return the results of a clip's images, and their rate."""
    clip = cv2.VideoCapture(str(MEDIA / name))
    rate = clip.get(cv2.CAP_PROP_FPS)
    results = []
    while True:
        good, pixels = clip.read()
        if not good:
            return results, rate
        results.append(pipeline.process(Image(pixels), len(results) / rate))


def test_a_photograph_of_the_demo(engine, detector: Detector) -> None:
    """The astronaut of scikit-image smiles; the positions of her eyes are known."""
    data = pytest.importorskip("skimage.data", reason="scikit-image (extra demo) is not installed")
    image = Image(np.ascontiguousarray(data.astronaut()), "rgb")
    faces = Pipeline(detector, engine).analyze(image).faces
    assert len(faces) == 1
    landmarks = faces[0].landmarks
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    assert np.abs(eyes[0] - (204, 102)).max() < 5
    assert np.abs(eyes[1] - (248, 103)).max() < 5
    assert faces[0].label == "happy"


@needs_media
def test_one_face_with_strong_expressions_is_one_track(engine, detector: Detector) -> None:
    results, _ = run(Pipeline(detector, engine), "expressions_one_face.mp4")
    with_face = [r for r in results if r.faces]
    assert len(with_face) == len(results)
    assert {f.track_id for r in results for f in r.faces} == {1}
    labels = [r.faces[0].label for r in with_face]
    assert len(set(labels) - {"unknown"}) >= 3
    assert sum(a != b for a, b in pairwise(labels)) <= 20


@needs_media
def test_a_clip_without_faces_has_none(engine, detector: Detector) -> None:
    results, _ = run(Pipeline(detector, engine), "no_face.mp4")
    assert sum(bool(r.faces) for r in results) <= 0.01 * len(results)


@needs_media
def test_a_face_that_leaves_is_gone_within_half_a_second(engine, detector: Detector) -> None:
    """The clip cuts away from the face at image 72."""
    results, rate = run(Pipeline(detector, engine), "face_leaves.mov")
    present = [len(r.faces) for r in results]
    assert min(present[:72]) == 1
    assert max(present[72 + int(0.5 * rate) :]) == 0


@needs_media
def test_a_clip_of_shrunk_jpegs_gives_the_landmarks_of_full_ones(engine) -> None:
    """The enlarged face is 300 pixels high; the median differs by 1 % of its size."""
    clip = cv2.VideoCapture(str(MEDIA / "upper_body_30fps.mkv"))
    detector = create_detector()
    full, shrunk = Pipeline(detector, engine), Pipeline(detector, engine)
    differences, reductions = [], []
    for i in range(45):
        _, pixels = clip.read()
        data = cv2.imencode(".jpg", cv2.resize(pixels, None, fx=3, fy=3))[1].tobytes()
        stamp = i / 30
        reductions.append(shrunk.reduction("camera", stamp))
        image = decode_compressed(data, reduction=reductions[-1], gray=True)
        # The oldest track is the person; others may be false detections.
        face = shrunk.process(image, stamp).faces[0]
        other = full.process(decode_compressed(data), stamp).faces[0]
        distances = np.linalg.norm(face.landmarks - other.landmarks, axis=1)
        differences.append(distances.mean() / other.box.size)
    assert set(reductions) == {1, 2, 4}
    assert reductions.count(1) <= 6
    assert np.median(differences) < 0.01
    assert max(differences) < 0.03
