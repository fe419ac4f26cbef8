"""The shipped model and detector behind the node, on a photograph."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from edan_ros.msg import FaceEmotionArray
from edan_ros.srv import ExplainFace
from probe import Probe

from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_LABEL
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine

REAL = {"make_engine": create_engine, "make_detector": create_detector}


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """(512, 512, 3) bgr: one woman, who smiles; her face is around (225, 115)."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


def check(array: FaceEmotionArray) -> None:
    (face,) = array.faces
    roi = face.roi
    assert roi.x_offset < 225 < roi.x_offset + roi.width
    assert roi.y_offset < 115 < roi.y_offset + roi.height
    assert 50 < roi.width < 130
    assert face.presence > 0.5
    assert face.label in (*EMOTIONS, UNKNOWN_LABEL)
    assert sum(face.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert max(face.probabilities) == pytest.approx(face.confidence, abs=1e-6)
    # The eyes are above the mouth, the person's right eye on the left of the image.
    x, y = face.landmarks_x, face.landmarks_y
    assert y[36:48].mean() < y[48:68].mean()
    assert x[36:42].mean() < x[42:48].mean()


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_a_face_in_a_photograph(
    make_probe: Callable[..., Probe], photograph: np.ndarray, transport: str
) -> None:
    probe = make_probe(node=REAL, image_transport=transport)

    def answer(pixels: np.ndarray) -> FaceEmotionArray:
        if transport == "raw":
            return probe.answer(probe.image(pixels))
        return probe.answer(probe.compressed(pixels), "image_raw/compressed")

    arrays = [answer(photograph) for _ in range(4)]
    for array in arrays:
        check(array)
    assert len({array.faces[0].track_id for array in arrays}) == 1
    assert not answer(np.zeros_like(photograph)).faces


def test_the_prediction_for_a_photograph_is_explained(
    make_probe: Callable[..., Probe], photograph: np.ndarray
) -> None:
    probe = make_probe(node=REAL)
    probe.answer(probe.image(photograph))

    def explain(method: str, emotion: int) -> np.ndarray:
        request = ExplainFace.Request(method=method, emotion=emotion)
        answer = probe.call(ExplainFace, "emotion_node/explain", request)
        assert (answer.success, answer.message) == (True, "")
        return np.reshape(answer.map, (answer.map_height, answer.map_width))

    occlusion = explain("occlusion", UNKNOWN)
    assert occlusion.max() == 1.0
    # What she shows, she shows with her face and not with the corners of the crop.
    assert occlusion[2:6, 2:6].mean() > occlusion[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    maps = [explain("gradcam", emotion) for emotion in range(len(EMOTIONS))]
    found = [values for values in maps if values.any()]
    assert len(found) > len(EMOTIONS) // 2
    assert all(values.max() == 1.0 and values.min() >= 0.0 for values in found)
