"""The example that annotates image messages with the Python interface."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "annotated_images.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    pytest.importorskip("rclpy", reason="ROS is not installed")
    spec = importlib.util.spec_from_file_location("annotated_images", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_message_with_a_face_comes_back_annotated(example: ModuleType) -> None:
    import cv2
    from sensor_msgs.msg import Image

    from edan_ros import FaceAnalyzer

    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    pixels = np.ascontiguousarray(data.astronaut()[:300, 80:380])
    message = Image(height=300, width=300, encoding="rgb8", step=900, data=pixels.tobytes())
    message.header.frame_id = "camera"
    annotated = example.annotate(FaceAnalyzer("edan-lite"), message)
    assert (annotated.header.frame_id, annotated.encoding) == ("camera", "bgr8")
    drawn = np.frombuffer(annotated.data, np.uint8).reshape(300, 300, 3)
    changed = (drawn != cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)).any(axis=2)
    assert 0.01 < changed.mean() < 0.9
