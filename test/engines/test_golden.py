"""Every engine agrees with the network in double precision on real faces.

Tolerances: landmarks 0.1 pixel of the crop in FP32 and 0.5 in FP16, probabilities 1e-3 and 1e-2.
TensorRT needs a GPU, so its FP16 graph is evaluated with TensorRT's rounding instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.core.emotions import softmax
from edan_ros.engines import Prediction, create_engine
from edan_ros.engines.base import INPUT, OUTPUTS
from edan_ros.engines.manifest import load_manifest, shipped_models

torch = pytest.importorskip("torch", reason="torch in double precision is the reference")
pytest.importorskip("onnx", reason="torch reads the weights from the ONNX file")

from half_reference import run as run_rounded  # noqa: E402

from edan_ros.engines.fp16_graph import to_fp16_graph  # noqa: E402
from edan_ros.engines.torch import load_network  # noqa: E402

Crops = Callable[[int], NDArray[np.float32]]
TOLERANCES = {"fp32": (0.1, 1e-3), "fp16": (0.5, 1e-2)}


#: test_shipped_int8.py covers the INT8 models.
MODELS = [name for name in shipped_models() if not load_manifest(name).quantised]


@pytest.fixture(params=MODELS, scope="module")
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def expected(model: str, face_crops: Crops) -> Prediction:
    """Return torch's prediction in double precision."""
    manifest = load_manifest(model)
    network = load_network(manifest).double()
    crops = torch.from_numpy(face_crops(manifest.input_size)).double()
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        # The network computes its geometry in FP32 by calling .float().
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        outputs = network(crops)
    assert all(output.dtype == torch.float64 for output in outputs)
    return Prediction(*(output.numpy() for output in outputs))


def check(found: Prediction, expected: Prediction, temperature: float, precision: str) -> None:
    pixels, probability = TOLERANCES[precision]
    distance = np.linalg.norm(found.landmarks - expected.landmarks, axis=-1)
    assert distance.max() < pixels
    emotions = softmax(found.logits, temperature) - softmax(expected.logits, temperature)
    assert np.abs(emotions).max() < probability
    assert np.abs(found.presence - expected.presence).max() < probability
    scale = expected.attention.max()
    assert np.abs(found.attention - expected.attention).max() < 0.05 * scale


@pytest.mark.parametrize("kind", ["onnxruntime", "torch"])
def test_engine_agrees_with_double_precision(
    kind: str, model: str, face_crops: Crops, expected: Prediction
) -> None:
    engine = create_engine(kind, model, threads=1)
    found = engine.infer(face_crops(engine.input_size))
    assert (engine.name, engine.selection_reason) == (kind, "requested")
    check(found, expected, engine.manifest.temperature, engine.precision)


def test_fp16_graph_agrees_with_double_precision(
    model: str, face_crops: Crops, expected: Prediction
) -> None:
    manifest = load_manifest(model)
    some = slice(0, None, 3)  # the reference is slow
    outputs = run_rounded(
        to_fp16_graph(manifest.path), {INPUT: face_crops(manifest.input_size)[some]}
    )
    found = Prediction(**{name: outputs[name] for name in OUTPUTS})
    expected = Prediction(*(getattr(expected, name)[some] for name in OUTPUTS))
    check(found, expected, manifest.temperature, "fp16")
    # The landmarks differ by more than FP32 would: the graph really is rounded to FP16.
    assert np.abs(found.landmarks - expected.landmarks).max() > 1e-4
