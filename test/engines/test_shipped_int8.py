"""Models that ship in INT8: made from those beside them, nearly the same, for processors alone."""

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


def test_it_is_made_from_the_model_beside_it_and_loses_little(made: Manifest) -> None:
    """Under 0.5 points of accuracy and 3 % of landmark error, for a file that is smaller."""
    source = source_of(made)
    assert made.training["from"] == f"{source.name} {source.sha256}"
    accuracy, error = "ferplus_public_accuracy", "landmarks68_tenth_error_outer_eye"
    assert made.metrics[accuracy] > source.metrics[accuracy] - 0.005
    assert made.metrics[error] < 1.03 * source.metrics[error]
    assert made.path.stat().st_size < 0.85 * source.path.stat().st_size


def test_it_says_what_its_source_says(
    made: Manifest, face_crops: Callable[[int], NDArray[np.float32]]
) -> None:
    """On real faces, of 64 pixels: within a pixel, on average a third; a tenth of probability."""
    crops = face_crops(made.input_size)
    found = create_engine("onnxruntime", made.name, threads=1).infer(crops)
    source = source_of(made)
    expected = create_engine("onnxruntime", source.name, threads=1).infer(crops)
    distance = np.linalg.norm(found.landmarks - expected.landmarks, axis=-1)
    assert distance.max() < 1.0 * made.input_size / 64
    assert distance.mean() < made.input_size / 192
    said = softmax(found.logits, made.temperature)
    assert np.abs(said - softmax(expected.logits, source.temperature)).max() < 0.1
    assert np.abs(found.presence - expected.presence).max() < 0.1


def test_engines_that_cannot_run_it_say_so(made: Manifest) -> None:
    with pytest.raises(EngineError, match="quantised for processors"):
        precision_of(made)
    assert made.name not in engine_command._for_gpus()
    pytest.importorskip("torch", reason="the engine torch")
    pytest.importorskip("onnx", reason="the engine torch")
    with pytest.raises(EngineError, match="is in INT8: take the engine onnxruntime"):
        create_engine("torch", made.name)
