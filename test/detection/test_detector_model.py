"""The detector's loaded on the CPU, and the selection of engines and detectors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="a small model is made with the test extra (onnx)")

from edan_ros.core.images import Image  # noqa: E402
from edan_ros.detection import factory  # noqa: E402
from edan_ros.detection.base import DetectorError  # noqa: E402
from edan_ros.detection.detector_model import DetectorModel  # noqa: E402
from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS  # noqa: E402
from edan_ros.detection.factory import create_detector, describe_detector  # noqa: E402
from edan_ros.engines import EngineError, create_engine  # noqa: E402
from edan_ros.engines.manifest import (  # noqa: E402
    Manifest,
    ModelError,
    sha256_of,
    shipped_models,
)
from edan_ros.evaluation.detection import evaluate_detector  # noqa: E402
from edan_ros.evaluation.detection_scenes import photograph_scenes  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ships = pytest.mark.skipif("edan-detector" not in shipped_models("detector"), reason="none ships")

VALUES = {
    "scores": np.array([[0.9, 0.2]], np.float32),
    "boxes": np.array([[[4, 5, 30, 32], [0, 0, 9, 9]]], np.float32),
    "points": np.arange(20, dtype=np.float32).reshape(1, 2, 5, 2),
}


def write_model(path: Path, task: str = "detector") -> Path:
    """Write a detector with constant outputs, and its manifest."""
    helper = onnx.helper
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in VALUES.items()
    ]
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["b", 1, "h", "w"])
    outputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, VALUES[name].shape)
        for name in DETECTOR_OUTPUTS
    ]
    graph = helper.make_graph(nodes, "constant", [image], outputs)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    labels = {} if task == "emotions" else {"labels": ()}
    Manifest(
        path=path,
        name=path.stem,
        version="1",
        sha256=sha256_of(path),
        input_size=64,
        task=task,
        **labels,
    ).save()
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "constant.onnx")


def test_outputs_are_bound_by_name(model: Path) -> None:
    cells = DetectorModel(model, threads=1)(np.zeros((32, 64), np.uint8))
    np.testing.assert_array_equal(cells.scores, VALUES["scores"][0])
    np.testing.assert_array_equal(cells.boxes, VALUES["boxes"][0])
    np.testing.assert_array_equal(cells.points, VALUES["points"][0])


@pytest.mark.parametrize("shape", [(31, 32), (32, 33), (0, 32), (32, 32, 3)])
def test_sides_that_are_not_multiples_are_rejected(model: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        DetectorModel(model, threads=1)(np.zeros(shape, np.uint8))


def test_a_detector_from_a_file_detects(model: Path) -> None:
    detector = create_detector("edan", model_path=str(model))
    found = detector.detect(Image(np.zeros((48, 48), np.uint8), "mono"))
    assert detector.name == "edan"
    assert [(d.box.x, d.box.y, d.box.width) for d in found] == [(4, 5, 30)]


def test_a_model_for_emotions_is_rejected_as_a_detector(tmp_path: Path, model: Path) -> None:
    other = write_model(tmp_path / "other.onnx", task="emotions")
    with pytest.raises(DetectorError, match="is a model for emotions"):
        create_detector("edan", model_path=str(other))
    with pytest.raises(ModelError, match="is a model for detector"):
        create_engine("onnxruntime", model)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path, model: Path) -> None:
    with pytest.raises(DetectorError, match=r"there is no model .*nowhere\.onnx"):
        create_detector("edan", model_path=str(tmp_path / "nowhere.onnx"))
    model.write_bytes(b"damaged")
    with pytest.raises(DetectorError, match="damaged"):
        create_detector("edan", model_path=str(model))


def test_auto_selects_the_shipped_detector_unless_a_yunet_file_is_given(
    monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setattr(factory, "shipped_models", lambda _task: ["edan-detector"])
    loaded = DetectorModel(model)
    monkeypatch.setattr(factory, "DetectorModel", lambda _name, **_: loaded)
    assert create_detector("auto").name == "edan"
    with pytest.raises(DetectorError, match=r"nowhere\.onnx.*missing"):
        create_detector("auto", model_path="nowhere.onnx")
    assert create_detector("full_frame").name == "full_frame"


def test_the_description_names_the_engine_where_there_is_a_choice(model: Path) -> None:
    detector = create_detector("edan", model_path=str(model))
    assert describe_detector(detector) == "edan on onnxruntime (cpu)"
    assert describe_detector(create_detector("full_frame", engine="tensorrt")) == "full_frame"


def test_auto_without_a_gpu_is_onnx_runtime(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise EngineError("there is no NVIDIA driver here")

    monkeypatch.setattr("edan_ros.engines.cuda_driver.find_gpu", none)
    logged: list[str] = []
    loaded = DetectorModel(model, "auto", log=logged.append)
    assert loaded.runner.name == "onnxruntime"
    assert loaded.runner.selection_reason == "no TensorRT: there is no NVIDIA driver here"
    assert logged == []


def test_an_unusable_engine_is_reported_with_its_cause(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match="unknown engine 'abacus'"):
        create_detector("edan", model_path=str(model), engine="abacus")
    monkeypatch.setitem(sys.modules, "edan_ros.detection.torch_runner", None)
    with pytest.raises(EngineError, match="the engine torch needs the Python library"):
        create_detector("edan", model_path=str(model), engine="torch")


def test_torch_rejects_other_networks(model: Path) -> None:
    pytest.importorskip("torch", reason="the engine torch needs torch")
    with pytest.raises(ModelError, match=r"torch cannot run .*lateral|torch cannot run .*stem"):
        DetectorModel(model, "torch")


def test_an_unknown_name_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"'yolo' is unknown.*edan"):
        create_detector("yolo")


@ships
def test_the_shipped_detector_answers_at_any_size() -> None:
    detector = create_detector("edan")
    for shape in ((33, 47), (240, 320), (480, 640, 3), (3000, 4000)):
        order = "bgr" if len(shape) == 3 else "mono"
        assert detector.detect(Image(np.full(shape, 90, np.uint8), order)) == []


@ships
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_the_shipped_detector_finds_faces_that_it_was_not_trained_on() -> None:
    """The held-out tenth of landmarks68, as docs/research/detector.md has it."""
    from edan_ros.datasets.archives import photographs

    yunet = str(DATA / "detectors" / "yunet_n_640.onnx")
    teacher = create_detector("yunet", model_path=yunet, score_threshold=0.3)
    scenes = photograph_scenes(photographs(DATA / "landmarks68", held_out=True), teacher)
    figures = evaluate_detector(create_detector(), scenes)
    assert figures.images > 100
    assert figures.recall >= 0.99
    assert figures.false_positives < 0.03
