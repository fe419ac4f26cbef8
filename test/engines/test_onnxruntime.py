"""The ONNX Runtime engine on the shipped model."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from edan_ros.core.crops import Crop, extract
from edan_ros.core.images import Image
from edan_ros.engines import Engine, EngineError, ModelError, create_engine
from edan_ros.engines.base import default_threads
from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.engines.manifest import WEIGHTS, Manifest, load_manifest, sha256_of
from edan_ros.engines.onnxruntime import OnnxRuntimeEngine

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return create_engine("onnxruntime", "edan-lite")


@pytest.fixture(scope="module")
def astronaut() -> Image:
    data = pytest.importorskip("skimage.data", reason="the photograph is scikit-image's")
    return Image(np.ascontiguousarray(data.astronaut()), "rgb")


#: The face in the photograph, measured by hand.
FACE = Crop(np.array([224.0, 130.0]), 118.0, 0.07)


def test_landmarks_and_emotion_of_the_astronaut_are_right(engine: Engine, astronaut: Image) -> None:
    """Eyes, nose and mouth are within 5 pixels of their place; the eyes are 44 pixels apart."""
    prediction = engine.infer(extract(astronaut, [FACE], engine.input_size))
    points = FACE.to_image(prediction.landmarks[0], engine.input_size)
    for index, place in (
        (slice(36, 42), (202, 102)),
        (slice(42, 48), (246, 105)),
        (30, (224, 127)),
        (slice(48, 68), (224, 145)),
    ):
        found = np.atleast_2d(points[index]).mean(axis=0)
        assert np.linalg.norm(found - place) < 5, (index, found)
    assert prediction.presence[0] > 0.9
    assert prediction.logits[0].argmax() == 1


def test_background_crops_have_low_presence(engine: Engine, astronaut: Image) -> None:
    crops = [Crop(np.array([x, 420.0]), 120.0, 0.0) for x in (90.0, 200.0, 400.0)]
    prediction = engine.infer(extract(astronaut, crops, engine.input_size))
    assert (prediction.presence < 0.5).all(), prediction.presence


def test_a_batch_gives_the_results_of_single_crops(engine: Engine) -> None:
    size = engine.input_size
    crops = np.random.default_rng(0).uniform(0, 255, (3, 1, size, size)).astype(np.float32)
    together = engine.infer(crops)
    for i in range(3):
        alone = engine.infer(crops[i : i + 1])
        np.testing.assert_allclose(alone.landmarks[0], together.landmarks[i], atol=1e-3)
        np.testing.assert_allclose(alone.logits[0], together.logits[i], atol=1e-4)


def test_an_empty_batch_gives_an_empty_prediction(engine: Engine) -> None:
    prediction = engine.infer(np.empty((0, 1, engine.input_size, engine.input_size), np.float32))
    assert prediction.landmarks.shape == (0, 68, 2)
    assert prediction.logits.shape == (0, 7)
    assert prediction.attention.shape[:2] == (0, 7)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 1, 63, 64), (64, 64)])
def test_crops_of_another_shape_are_rejected(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros(shape, np.float32))


def test_a_model_with_other_outputs_is_rejected(tmp_path: Path) -> None:
    """The message names the expected and the found inputs and outputs."""
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", [value], [other])
    path = tmp_path / "other.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    Manifest(path=path, name="o", version="1", sha256=sha256_of(path), input_size=64).save()
    with pytest.raises(ModelError, match=r"expected the input image .* found x and y"):
        create_engine("onnxruntime", path)


def test_a_manifest_with_another_input_size_is_rejected(tmp_path: Path) -> None:
    shipped = load_manifest("edan-lite")
    copy = tmp_path / "other.onnx"
    copy.write_bytes(shipped.path.read_bytes())
    Manifest(copy, "other", "1", sha256_of(copy), input_size=40).save()
    with pytest.raises(ModelError, match="does not run on a crop of 40 pixels"):
        create_engine("onnxruntime", str(copy))
    with pytest.raises(EngineError, match="ONNX Runtime cannot run other"):
        EvaluationModel(copy).run(np.zeros((1, 1, 40, 40), np.float32))


@pytest.mark.parametrize(
    ("cores", "cameras", "threads"),
    [(1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 1), (6, 1, 4), (6, 5, 4), (4, 5, 2), (64, 1, 4)],
)
def test_default_threads_leave_cores_for_the_cameras(
    monkeypatch: pytest.MonkeyPatch, cores: int, cameras: int, threads: int
) -> None:
    """One core is reserved per four cameras or fewer, but the model keeps at least one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert default_threads(cameras) == threads


@pytest.mark.parametrize(
    ("cores", "threads", "cameras", "parts"),
    [(1, 0, 1, 1), (2, 0, 1, 2), (2, 1, 1, 1), (2, 0, 0, 1), (6, 0, 1, 1), (8, 0, 1, 2)],
)
def test_batches_are_split_over_all_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, cameras: int, parts: int
) -> None:
    """Unless the user sets the number of threads."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=threads, cameras=cameras)
    assert engine.parts == parts


@pytest.mark.parametrize("faces", [1, 2, 3, 5, 8])
def test_a_split_batch_gives_the_same_results(faces: int) -> None:
    manifest = load_manifest("edan-lite")
    whole, split = (OnnxRuntimeEngine(manifest, threads=1) for _ in range(2))
    split.parts = 3
    shape = (faces, 1, whole.input_size, whole.input_size)
    crops = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
    expected, found = whole.infer(crops), split.infer(crops)
    for name in ("landmarks", "logits", "presence", "attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-3)


class FailingEngine(OnnxRuntimeEngine):
    """Fails on every part whose first pixel is 1."""

    def run_into(self, crops, outputs) -> None:
        if crops[0, 0, 0, 0] == 1.0:
            raise EngineError("out of memory")
        super().run_into(crops, outputs)


def test_an_error_in_one_part_of_a_batch_is_raised() -> None:
    engine = FailingEngine(load_manifest("edan-lite"), threads=1)
    engine.parts = 2
    crops = np.zeros((2, 1, engine.input_size, engine.input_size), np.float32)
    crops[1] = 1.0
    with pytest.raises(EngineError, match="out of memory"):
        engine.infer(crops)


def test_fp16_weights_are_converted_when_loaded_and_not_in_every_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file has a Cast node for each such weight, which no run executes."""
    stored = onnx.load(WEIGHTS / "edan-lite.onnx").graph
    half = {t.name for t in stored.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    casts = [node for node in stored.node if node.op_type == "Cast"]
    others = [node.name for node in casts if node.input[0] not in half]
    assert len(casts) - len(others) > 10

    class Profiled(ort.SessionOptions):
        def __init__(self) -> None:
            super().__init__()
            self.enable_profiling = True
            self.profile_file_prefix = str(tmp_path / "profile")

    monkeypatch.setattr(ort, "SessionOptions", Profiled)
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=1)
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
    events = json.loads(Path(engine.session.end_profiling()).read_text())
    run = {event["name"]: event["args"].get("op_name") for event in events}
    assert "Conv" in run.values()
    executed = [name for name, kind in run.items() if kind == "Cast"]
    assert [name for name in executed if not name.startswith(tuple(others))] == []


def test_no_thread_spins_after_a_run() -> None:
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=2)
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


def test_a_prediction_is_not_overwritten_by_the_next_run(engine: Engine) -> None:
    size = engine.input_size
    first = engine.infer(np.zeros((1, 1, size, size), np.float32))
    kept = first.landmarks.copy(), first.attention.copy()
    engine.infer(np.random.default_rng(0).uniform(0, 255, (1, 1, size, size)).astype(np.float32))
    np.testing.assert_array_equal(first.landmarks, kept[0])
    np.testing.assert_array_equal(first.attention, kept[1])
