"""The ONNX file equals the network and has only operators that TensorRT runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs the train extra (torch)")
onnx = pytest.importorskip("onnx", reason="export needs the train extra (onnx)")

from random_network import need_torchvision, network_with_random_state  # noqa: E402

from edan_ros.core.emotions import polarity_probabilities, softmax  # noqa: E402
from edan_ros.engines import ModelError, create_engine  # noqa: E402
from edan_ros.engines.base import INPUT, OUTPUTS  # noqa: E402
from edan_ros.engines.evaluation_model import EvaluationEngine, EvaluationModel  # noqa: E402
from edan_ros.networks.deployed import Deployed  # noqa: E402
from edan_ros.networks.emotional_dan import EmotionalDAN  # noqa: E402
from edan_ros.networks.registry import create_network  # noqa: E402
from edan_ros.training.emotion.export import export, flops, make_manifest  # noqa: E402

FORBIDDEN = {"AffineGrid", "ScatterND", "ScatterElements", "Loop", "If", "Inverse", "Det"}


def crops_to_try(size: int) -> np.ndarray:
    """Noise, a flat crop, and a real face where scikit-image is installed."""
    rng = np.random.default_rng(0)
    crops = [rng.uniform(0, 255, (size, size)) for _ in range(3)] + [np.full((size, size), 9.0)]
    data = pytest.importorskip("skimage.data", reason="the real crop is scikit-image's")
    import cv2

    gray = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    crops.append(cv2.resize(gray[50:210, 145:305], (size, size)))
    return np.stack(crops)[:, None].astype(np.float32)


@pytest.mark.parametrize("stages", [1, 2])
def test_onnx_equals_torch(tmp_path: Path, stages: int) -> None:
    """Every output within 1e-4, at batches of 1 and of 5, from the same file."""
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    path = tmp_path / "model.onnx"
    export(network, path)
    make_manifest(network, path, name="model", version="0").save()
    engine = create_engine("onnxruntime", path)
    crops = crops_to_try(64)
    with torch.inference_mode():
        expected = Deployed(network)(torch.from_numpy(crops))
    for batch in (slice(0, 1), slice(None)):
        found = engine.infer(crops[batch])
        for name, values in zip(OUTPUTS, expected, strict=True):
            np.testing.assert_allclose(
                getattr(found, name), values[batch].numpy(), atol=1e-4, err_msg=name
            )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("cnn2", {}),
        ("cnn5", {}),
        ("deep_emotion", {}),
        ("inception_v3", {}),
        ("emotionnet2", {"layers": 18}),
        ("action_units", {"layers": 11}),
        ("emotional_dan", {"width": 0.125, "classes": 3, "landmarks": 32}),
    ],
)
def test_every_kind_of_network_is_exported_with_its_outputs(
    tmp_path: Path, kind: str, options: dict
) -> None:
    """Outputs equal those of torch; the manifest names them and the classes."""
    if kind in ("inception_v3", "emotionnet2", "action_units"):
        need_torchvision()
    network = create_network(kind=kind, size=48, **options).eval()
    path = tmp_path / "model.onnx"
    export(network, path)
    manifest = make_manifest(network, path, name="model", version="0")
    manifest.save()
    model = EvaluationModel(path)
    assert len(model.manifest.labels) == network.config["classes"]
    assert model.outputs == network.outputs
    crops = crops_to_try(48)
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops))
    found = model.run(crops, batch=2)
    np.testing.assert_allclose(found["logits"], expected.logits.numpy(), atol=1e-3)
    if expected.units is not None:
        np.testing.assert_allclose(found["units"], expected.units.sigmoid().numpy(), atol=1e-3)
    if expected.landmarks is not None:
        np.testing.assert_allclose(found["landmarks"], expected.landmarks.numpy(), atol=1e-3)
    if network.config["classes"] == 3:
        seven = softmax(EvaluationEngine(path).infer(crops).logits)
        sums = [polarity_probabilities(row) for row in seven]
        np.testing.assert_allclose(sums, softmax(found["logits"]), atol=1e-5)
    assert not FORBIDDEN & {node.op_type for node in onnx.load(path).graph.node}
    with pytest.raises(ModelError, match="can only be evaluated"):
        create_engine("onnxruntime", path)


def test_fp16_storage_halves_the_file_and_keeps_the_outputs(tmp_path: Path) -> None:
    network = network_with_random_state(size=64, width=0.25)
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    export(network, full)
    export(network, half, half=True)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    answers = []
    for path in (full, half):
        make_manifest(network, path, name=path.stem, version="0").save()
        answers.append(create_engine("onnxruntime", path).infer(crops_to_try(64)))
    np.testing.assert_allclose(answers[0].landmarks, answers[1].landmarks, atol=0.02)
    np.testing.assert_allclose(answers[0].logits, answers[1].logits, atol=0.01)


def test_the_graph_has_only_operators_that_every_engine_runs(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(EmotionalDAN(size=64, width=0.25).eval(), path)
    model = onnx.load(path)
    assert model.opset_import[0].version == 17
    assert not FORBIDDEN & {node.op_type for node in model.graph.node}
    assert [value.name for value in model.graph.input] == [INPUT]
    assert [value.name for value in model.graph.output] == list(OUTPUTS)
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_operations_of_the_network_of_the_paper() -> None:
    """Two stages at 112 pixels and width 1: 5.13 giga multiply-adds."""
    assert flops(EmotionalDAN(), 112) / 2e9 == pytest.approx(5.13, rel=0.01)
