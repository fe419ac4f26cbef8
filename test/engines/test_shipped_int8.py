"""The shipped INT8 models: nearly as accurate as their source, for processors only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.cli import engine as engine_command
from edan_ros.core.emotions import softmax
from edan_ros.engines import EngineError, create_engine
from edan_ros.engines.manifest import Manifest, load_manifest, shipped_models
from edan_ros.engines.tensorrt_build import precision_of

INT8 = [name for name in shipped_models() if load_manifest(name).quantised]


@pytest.fixture(params=INT8)
def made(request: pytest.FixtureRequest) -> Manifest:
    return load_manifest(str(request.param))


def source_of(made: Manifest) -> Manifest:
    return load_manifest(made.name.removesuffix("-int8"))


def test_an_int8_model_is_nearly_as_accurate_as_its_source(made: Manifest) -> None:
    """It loses at most 0.5 points of accuracy and 3 % of landmark error."""
    source = source_of(made)
    assert made.training["from"] == f"{source.name} {source.sha256}"
    accuracy, error = "ferplus_public_accuracy", "landmarks68_tenth_error_outer_eye"
    assert made.metrics[accuracy] > source.metrics[accuracy] - 0.005
    assert made.metrics[error] < 1.03 * source.metrics[error]
    assert made.path.stat().st_size < 0.85 * source.path.stat().st_size


def test_an_int8_model_agrees_with_its_source_on_real_faces(
    made: Manifest, face_crops: Callable[[int], NDArray[np.float32]]
) -> None:
    """Landmarks differ by at most 1 of 64 pixels, 1/3 on average; probabilities by at most 0.1."""
    crops = face_crops(made.input_size)
    found = create_engine("onnxruntime", made.name, threads=1).infer(crops)
    source = source_of(made)
    expected = create_engine("onnxruntime", source.name, threads=1).infer(crops)
    distance = np.linalg.norm(found.landmarks - expected.landmarks, axis=-1)
    assert distance.max() < 1.0 * made.input_size / 64
    assert distance.mean() < made.input_size / 192
    probabilities = softmax(found.logits, made.temperature)
    assert np.abs(probabilities - softmax(expected.logits, source.temperature)).max() < 0.1
    assert np.abs(found.presence - expected.presence).max() < 0.1


def test_tensorrt_and_torch_reject_int8_models(made: Manifest) -> None:
    with pytest.raises(EngineError, match="quantised for processors"):
        precision_of(made)
    assert made.name not in engine_command.gpu_models()
    pytest.importorskip("torch", reason="the engine torch needs it")
    pytest.importorskip("onnx", reason="the engine torch needs it")
    with pytest.raises(EngineError, match="is in INT8: use the engine onnxruntime"):
        create_engine("torch", made.name)
