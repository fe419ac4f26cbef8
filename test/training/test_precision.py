"""A model in another precision: quantised layers, predictions, manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs the train extra (torch)")
onnx = pytest.importorskip("onnx", reason="export needs the train extra (onnx)")

from edan_ros.cli.main import main  # noqa: E402
from edan_ros.core.emotions import softmax  # noqa: E402
from edan_ros.engines import EngineError, create_engine  # noqa: E402
from edan_ros.engines.base import INPUT  # noqa: E402
from edan_ros.engines.fp16_graph import to_fp16_graph  # noqa: E402
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of  # noqa: E402
from edan_ros.engines.plan_cache import PlanCache  # noqa: E402
from edan_ros.training.emotion.precision import compare, quantised, widened  # noqa: E402

MODEL = "edan-lite"


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Twenty crops of the astronaut's face, shifted and rotated."""
    data = pytest.importorskip("skimage.data", reason="the photograph is scikit-image's")
    from edan_ros.core.crops import Crop, extract
    from edan_ros.core.images import Image

    image = Image(np.ascontiguousarray(data.astronaut()), "rgb")
    rng = np.random.default_rng(0)
    moved = [
        Crop(np.array([224.0, 130.0]) + rng.normal(0, 4, 2), rng.uniform(100, 140), r)
        for r in rng.normal(0.07, 0.15, 20)
    ]
    return extract(image, moved, 64)


@pytest.fixture(scope="module", params=["int8", "int8-gpu"])
def int8(
    request: pytest.FixtureRequest, crops: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Manifest:
    """The shipped model, quantised."""
    precision = str(request.param)
    source = load_manifest(MODEL)
    path = tmp_path_factory.mktemp(precision) / f"{MODEL}-{precision}.onnx"
    onnx.save(quantised(source.path, crops[:8], symmetric=precision == "int8-gpu"), path)
    made = Manifest(path, path.stem, "1", sha256_of(path), 64, precision=precision)
    made.save()
    return made


def test_int8_predictions_equal_those_of_the_model(int8: Manifest, crops: np.ndarray) -> None:
    """On crops that it was not calibrated on: within a pixel of 64 and 10 % of probability."""
    engine = create_engine("onnxruntime", int8.path, threads=1)
    expected = create_engine("onnxruntime", MODEL, threads=1).infer(crops[8:])
    assert engine.precision == "int8"
    found = engine.infer(crops[8:])
    distance = np.linalg.norm(found.landmarks - expected.landmarks, axis=-1)
    assert 1e-4 < distance.mean() < 0.3
    assert distance.max() < 1.0
    assert np.abs(softmax(found.logits, 0.5) - softmax(expected.logits, 0.5)).max() < 0.1


def test_int8_is_compared_with_its_source_model(int8: Manifest) -> None:
    """Accuracy in points, the error in percent; figures that were not measured are left out."""
    source = load_manifest(MODEL).metrics
    accuracy, error = "ferplus_public_accuracy", "landmarks68_tenth_error_outer_eye"
    figures = {accuracy: source[accuracy] - 0.01, error: 1.02 * source[error]}
    found = compare(replace(int8, metrics=figures), MODEL)
    assert found["accuracy_change"] == pytest.approx(-1.0)
    assert found["landmark_error_change"] == pytest.approx(2.0)
    assert 0.2 < found["times_as_fast"] < 10.0
    assert set(compare(int8, MODEL)) == {"times_as_fast"}


def test_all_layers_but_entries_and_heads_are_quantised(int8: Manifest) -> None:
    model = onnx.load(int8.path)
    makers = {output: node for node in model.graph.node for output in node.output}
    quantised_layers = Counter()
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            maker = makers.get(node.input[1])
            quantised_layers[maker is not None and maker.op_type == "DequantizeLinear"] += 1
    # 16 convolutions but the first of each stage, and the two hidden layers. Kept: those two,
    # two landmark steps, the feature image, both heads.
    assert quantised_layers == {True: 16, False: 7}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    activations = [
        weights[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"
    ]
    types = onnx.TensorProto
    if int8.precision == "int8-gpu":
        assert {onnx.numpy_helper.to_array(zero).item() for zero in activations} == {0}
    biases = [name for name, t in weights.items() if "bias" in name and t.data_type == types.INT32]
    assert bool(biases) == (int8.precision == "int8")
    assert {zero.data_type for zero in activations} == {
        types.INT8 if int8.precision == "int8-gpu" else types.UINT8
    }
    assert int8.path.stat().st_size < 0.85 * load_manifest(MODEL).path.stat().st_size


def test_tensorrt_refuses_a_model_quantised_for_cpus(int8: Manifest, tmp_path: Path) -> None:
    from edan_ros.engines.cuda_driver import Gpu
    from edan_ros.engines.tensorrt_build import (
        batch_profile,
        build_plan,
        library,
        plan_key,
        precision_of,
        typed_graph,
    )

    if int8.precision == "int8":
        with pytest.raises(EngineError, match="was quantised for processors"):
            precision_of(int8)
        return
    try:
        library("tensorrt_rtx")
    except EngineError as error:
        pytest.skip(f"no TensorRT-RTX: {error}")
    profile = batch_profile(64)
    key = plan_key(int8, "tensorrt_rtx", Gpu("", "8.6", ""), profile)
    assert key.precision == "int8"
    plan = build_plan(typed_graph(int8), key, profile, PlanCache(tmp_path))
    assert len(plan) > 4_000_000


def test_weights_in_fp32_have_equal_values(crops: np.ndarray, tmp_path: Path) -> None:
    source = load_manifest(MODEL)
    path = tmp_path / "wide.onnx"
    onnx.save(widened(source.path), path)
    assert onnx.TensorProto.FLOAT16 not in {
        tensor.data_type for tensor in onnx.load(path).graph.initializer
    }
    Manifest(path, "wide", "1", sha256_of(path), 64).save()
    wide, stored = (create_engine("onnxruntime", m, threads=1) for m in (path, MODEL))
    np.testing.assert_allclose(
        wide.infer(crops[:2]).landmarks, stored.infer(crops[:2]).landmarks, atol=1e-4
    )


def test_the_fp16_model_is_the_graph_that_tensorrt_builds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", MODEL, "--precision", "fp16", "--to", str(tmp_path)]) == 0
    made = load_manifest(tmp_path / f"{MODEL}-fp16.onnx")
    assert str(made.path) in capsys.readouterr().out
    source = load_manifest(MODEL)
    assert made.precision == "fp16"
    assert made.metrics == source.metrics
    assert made.training["from"] == f"{MODEL} {source.sha256}"
    assert onnx.load(made.path) == to_fp16_graph(source.path)
    assert [value.name for value in onnx.load(made.path).graph.input] == [INPUT]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edan-lite", "--precision", "int8"], "--precision int8 is calibrated and evaluated on"),
        (["config.yaml"], "a run is exported from its folder of checkpoints and --data"),
        (["edan-lite", "--precision", "fp8"], "invalid choice: 'fp8'"),
    ],
)
def test_missing_arguments_of_export_are_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["export", *arguments, "--to", str(tmp_path)])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_that_does_not_exist_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "edan-x", "--precision", "fp16", "--to", str(tmp_path)]) != 0
    assert "no model is called 'edan-x'" in capsys.readouterr().err
