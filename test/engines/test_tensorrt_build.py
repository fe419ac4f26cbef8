"""TensorRT-RTX parses and builds the shipped models, which needs no GPU.

Plans are built ahead of time for SM 86 (RTX 30) and 89 (RTX 40). Only TensorRT itself builds for
the SM 87 of a Jetson.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edan_ros.detection.detector_model import TASK
from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS, INPUT_MULTIPLE
from edan_ros.engines import EngineError, ModelError
from edan_ros.engines.base import INPUT, OUTPUTS
from edan_ros.engines.cuda_driver import Gpu
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of, shipped_models
from edan_ros.engines.plan_cache import PlanCache, PlanKey
from edan_ros.engines.tensorrt import make_plan
from edan_ros.engines.tensorrt_build import (
    BATCHES,
    IMAGE_SIZES,
    batch_profile,
    build_plan,
    image_profile,
    library,
    plan_key,
    precision_of,
    profile_of,
    typed_graph,
)

onnx = pytest.importorskip("onnx", reason="TensorRT's graph is made with onnx")
try:
    trt = library("tensorrt_rtx")
except EngineError as error:
    pytest.skip(f"no TensorRT-RTX: {error}", allow_module_level=True)

MODELS = [
    *(name for name in shipped_models() if load_manifest(name).precision != "int8"),
    *shipped_models(TASK),
]


def manifest_of(model: str) -> Manifest:
    return load_manifest(model, task=None)


def key_of(model: str, capability: str = "8.6") -> PlanKey:
    manifest = manifest_of(model)
    return plan_key(manifest, "tensorrt_rtx", Gpu("", capability, ""), profile_of(manifest))


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path)


@contextmanager
def parsed(manifest: Manifest) -> Iterator[Any]:
    """Parse a model with TensorRT; the network is valid inside the context."""
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    assert parser.parse(typed_graph(manifest)), [
        parser.get_error(i).desc() for i in range(parser.num_errors)
    ]
    yield network


@pytest.mark.parametrize("model", MODELS)
def test_tensorrt_parses_every_node(model: str) -> None:
    """Inputs and outputs keep their names, are FP32 and have a dynamic batch size."""
    manifest = manifest_of(model)
    with parsed(manifest) as network:
        check_types(manifest, network)


def check_types(manifest: Manifest, network: Any) -> None:
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    assert [tensor.name for tensor in inputs] == [INPUT]
    wanted = DETECTOR_OUTPUTS if manifest.task == TASK else OUTPUTS
    assert {tensor.name for tensor in outputs} == set(wanted)
    for tensor in (*inputs, *outputs):
        assert tensor.dtype == trt.DataType.FLOAT
        assert tensor.shape[0] == -1
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    convolutions = [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
    assert convolutions
    assert {layer.get_output(0).dtype for layer in convolutions} == {trt.DataType.HALF}
    sampling = [layer for layer in layers if layer.type == trt.LayerType.GRID_SAMPLE]
    assert all(layer.get_output(0).dtype == trt.DataType.FLOAT for layer in sampling)
    assert bool(sampling) == (manifest.task != TASK)
    # Probabilities, and the exponentials that give the sizes of boxes.
    curves = [layer for layer in layers if is_sigmoid_or_exponential(layer)]
    assert curves
    assert {layer.get_output(0).dtype for layer in curves} == {trt.DataType.FLOAT}


def is_sigmoid_or_exponential(layer: Any) -> bool:
    """Return whether a layer is a sigmoid or an exponential."""
    if layer.type == trt.LayerType.ACTIVATION:
        layer.__class__ = trt.IActivationLayer
        return bool(layer.type == trt.ActivationType.SIGMOID)
    if layer.type == trt.LayerType.UNARY:
        layer.__class__ = trt.IUnaryLayer
        return bool(layer.op == trt.UnaryOperation.EXP)
    return False


@pytest.mark.parametrize("sides", [*IMAGE_SIZES, (96, 128)])
@pytest.mark.parametrize("model", shipped_models(TASK))
def test_output_shapes_of_a_detector_follow_from_the_image_size(
    model: str, sides: tuple[int, int]
) -> None:
    """Memory for the outputs is allocated before the first run."""
    height, width = sides
    cells = sum(height // stride * (width // stride) for stride in (8, 16, 32))
    with parsed(manifest_of(model)) as network:
        network.get_input(0).shape = (1, 1, height, width)
        outputs = [network.get_output(i) for i in range(network.num_outputs)]
        shapes = {tensor.name: tuple(tensor.shape) for tensor in outputs}
    assert shapes == {"scores": (1, cells), "boxes": (1, cells, 4), "points": (1, cells, 5, 2)}


@pytest.mark.parametrize("capability", ["8.6", "8.9"])
@pytest.mark.parametrize("model", MODELS)
def test_a_plan_is_built_ahead_of_time(model: str, capability: str, cache: PlanCache) -> None:
    manifest, key = manifest_of(model), key_of(model, capability)
    shares: list[float] = []
    lines: list[str] = []
    make_plan(
        manifest, key, profile_of(manifest), cache, lines.append, shares.append, reason="a test"
    )
    plan = cache.load(key)
    assert isinstance(plan, bytes)
    # A plan consists of the FP16 weights and little else.
    weights = 2 * manifest.parameters
    assert weights < len(plan) < 2 * weights + 4e6
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 100
    assert len(lines) == 2
    assert lines[0].startswith(f"building {model} for GPUs of compute capability {capability}")
    assert lines[1].startswith(f"built {model} in ")


def test_plans_for_different_gpus_differ(cache: PlanCache) -> None:
    model = MODELS[0]
    graph, profile = typed_graph(manifest_of(model)), profile_of(manifest_of(model))
    ampere, ada = (
        build_plan(graph, key_of(model, capability), profile, cache)
        for capability in ("8.6", "8.9")
    )
    assert ampere != ada


def test_profiles_have_dynamic_batch_and_image_sizes() -> None:
    (shapes,) = batch_profile(64).values()
    assert [shape[0] for shape in shapes] == list(BATCHES) == [1, 2, 16]
    assert str(shapes) in key_of("edan-lite").profile
    (shapes,) = image_profile().values()
    assert [shape[2:] for shape in shapes] == list(IMAGE_SIZES)
    assert {shape[:2] for shape in shapes} == {(1, 1)}
    assert all(side % INPUT_MULTIPLE == 0 for sides in IMAGE_SIZES for side in sides)


def test_an_unsupported_compute_capability_is_rejected(cache: PlanCache) -> None:
    key = key_of(MODELS[0], "5.3")
    graph, profile = typed_graph(manifest_of(MODELS[0])), profile_of(manifest_of(MODELS[0]))
    with pytest.raises(EngineError, match=r"builds for .*86.*, not for SM53"):
        build_plan(graph, key, profile, cache)


def test_a_file_that_is_not_a_model_is_rejected(cache: PlanCache) -> None:
    with pytest.raises(ModelError, match="tensorrt_rtx cannot read the model"):
        build_plan(b"no model", key_of(MODELS[0]), batch_profile(64), cache)


def test_a_library_that_cannot_start_reports_the_reason(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an outdated driver, TensorRT logs the reason and returns no builder."""

    def builder(logger: Any) -> None:
        logger.log(trt.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(trt, "Builder", builder)
    with pytest.raises(EngineError, match="tensorrt_rtx cannot start: CUDA initialization failure"):
        build_plan(b"", key_of(MODELS[0]), batch_profile(64), cache)


def test_a_failed_build_reports_tensorrts_error(cache: PlanCache) -> None:
    """The profile does not fit the input of the model."""
    graph = typed_graph(manifest_of(MODELS[0]))
    with pytest.raises(EngineError, match=r"cannot build the model .*: .+"):
        build_plan(graph, key_of(MODELS[0]), batch_profile(48), cache)


@pytest.mark.parametrize(("stored", "precision"), [("int8-gpu", "int8"), ("fp16 storage", "fp16")])
def test_a_typed_model_is_built_without_conversion(
    stored: str, precision: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(load_manifest(MODELS[0]).path.read_bytes())
    made = Manifest(path, "m", "1", sha256_of(path), 64, precision=stored)
    assert precision_of(made) == precision
    assert (typed_graph(made) == path.read_bytes()) == (stored == "int8-gpu")


def test_a_model_quantised_for_processors_is_rejected(tmp_path: Path) -> None:
    made = Manifest(tmp_path / "m.onnx", "m", "1", "0" * 64, 64, precision="int8")
    with pytest.raises(EngineError, match="make one with edan export MODEL --precision int8-gpu"):
        precision_of(made)
