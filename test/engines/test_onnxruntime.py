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
from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.engines.manifest import WEIGHTS, Manifest, load_manifest, sha256_of
from edan_ros.engines.onnxruntime import OnnxRuntimeEngine, default_threads

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return create_engine("onnxruntime", "edan-lite")


@pytest.fixture(scope="module")
def astronaut() -> Image:
    data = pytest.importorskip("skimage.data", reason="the photograph is scikit-image's")
    return Image(np.ascontiguousarray(data.astronaut()), "rgb")


#: Where the astronaut's face is, as read off the photograph.
FACE = Crop(np.array([224.0, 130.0]), 118.0, 0.07)


def test_finds_the_astronauts_smile(engine: Engine, astronaut: Image) -> None:
    """Eyes, nose and mouth lie where they are seen in the photograph.

    Within 5 pixels; the eyes are 44 apart.
    """
    said = engine.infer(extract(astronaut, [FACE], engine.input_size))
    points = FACE.to_image(said.landmarks[0], engine.input_size)
    for index, seen in (
        (slice(36, 42), (202, 102)),
        (slice(42, 48), (246, 105)),
        (30, (224, 127)),
        (slice(48, 68), (224, 145)),
    ):
        found = np.atleast_2d(points[index]).mean(axis=0)
        assert np.linalg.norm(found - seen) < 5, (index, found)
    assert said.presence[0] > 0.9
    assert said.logits[0].argmax() == 1


def test_background_is_no_face(engine: Engine, astronaut: Image) -> None:
    crops = [Crop(np.array([x, 420.0]), 120.0, 0.0) for x in (90.0, 200.0, 400.0)]
    said = engine.infer(extract(astronaut, crops, engine.input_size))
    assert (said.presence < 0.5).all(), said.presence


def test_a_batch_says_what_single_crops_say(engine: Engine) -> None:
    size = engine.input_size
    crops = np.random.default_rng(0).uniform(0, 255, (3, 1, size, size)).astype(np.float32)
    together = engine.infer(crops)
    for i in range(3):
        alone = engine.infer(crops[i : i + 1])
        np.testing.assert_allclose(alone.landmarks[0], together.landmarks[i], atol=1e-3)
        np.testing.assert_allclose(alone.logits[0], together.logits[i], atol=1e-4)


def test_no_crops_are_no_faces(engine: Engine) -> None:
    said = engine.infer(np.empty((0, 1, engine.input_size, engine.input_size), np.float32))
    assert said.landmarks.shape == (0, 68, 2)
    assert said.logits.shape == (0, 7)
    assert said.attention.shape[:2] == (0, 7)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 1, 63, 64), (64, 64)])
def test_crops_of_another_shape_are_refused(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros(shape, np.float32))


def test_a_network_with_other_outputs_is_refused(tmp_path: Path) -> None:
    """The message names what was expected and what was found."""
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


def test_a_manifest_with_another_size_is_refused(tmp_path: Path) -> None:
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
def test_cameras_keep_cores_for_themselves(
    monkeypatch: pytest.MonkeyPatch, cores: int, cameras: int, threads: int
) -> None:
    """One core for each four cameras that have begun, but one is left for the model."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert default_threads(cameras) == threads


@pytest.mark.parametrize(
    ("cores", "threads", "cameras", "parts"),
    [(1, 0, 1, 1), (2, 0, 1, 2), (2, 1, 1, 1), (2, 0, 0, 1), (6, 0, 1, 1), (8, 0, 1, 2)],
)
def test_several_faces_take_the_cameras_cores_too(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, cameras: int, parts: int
) -> None:
    """Unless the user has said how many threads there may be."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=threads, cameras=cameras)
    assert engine.parts == parts


@pytest.mark.parametrize("faces", [1, 2, 3, 5, 8])
def test_a_batch_cut_into_parts_says_the_same(faces: int) -> None:
    manifest = load_manifest("edan-lite")
    whole, cut = (OnnxRuntimeEngine(manifest, threads=1) for _ in range(2))
    cut.parts = 3
    shape = (faces, 1, whole.input_size, whole.input_size)
    crops = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
    expected, given = whole.infer(crops), cut.infer(crops)
    for name in ("landmarks", "logits", "presence", "attention"):
        np.testing.assert_allclose(getattr(given, name), getattr(expected, name), atol=1e-3)


def test_a_part_that_fails_is_told() -> None:
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=1)
    engine.parts, run = 2, engine._run

    def fail_on_the_second(crops, outputs) -> None:
        if crops[0, 0, 0, 0] == 1.0:
            raise EngineError("out of memory")
        run(crops, outputs)

    engine._run = fail_on_the_second
    crops = np.zeros((2, 1, engine.input_size, engine.input_size), np.float32)
    crops[1] = 1.0
    with pytest.raises(EngineError, match="out of memory"):
        engine.infer(crops)


def test_weights_stored_in_half_precision_are_widened_at_load_and_not_in_every_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file holds a Cast for each such weight; no run executes one."""
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
    events = json.loads(Path(engine._session.end_profiling()).read_text())
    run = {event["name"]: event["args"].get("op_name") for event in events}
    assert "Conv" in run.values()
    executed = [name for name, kind in run.items() if kind == "Cast"]
    assert [name for name in executed if not name.startswith(tuple(others))] == []


def test_no_thread_spins_between_two_runs() -> None:
    engine = OnnxRuntimeEngine(load_manifest("edan-lite"), threads=2)
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


def test_a_result_is_not_overwritten_by_the_next_run(engine: Engine) -> None:
    size = engine.input_size
    first = engine.infer(np.zeros((1, 1, size, size), np.float32))
    kept = first.landmarks.copy(), first.attention.copy()
    engine.infer(np.random.default_rng(0).uniform(0, 255, (1, 1, size, size)).astype(np.float32))
    np.testing.assert_array_equal(first.landmarks, kept[0])
    np.testing.assert_array_equal(first.attention, kept[1])
