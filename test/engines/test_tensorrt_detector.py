"""The face detector on TensorRT: any size of picture, and what is done where it cannot run.

As in test_tensorrt_engine.py, plans are TensorRT-RTX's own, and a stand-in executes them.
"""

from __future__ import annotations

import functools
import gc
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_gpu import GPU, FakeGpu
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.detection.detector_model import SHIPPED, TASK, DetectorModel
from edan_ros.detection.edan_detector import CellPredictions
from edan_ros.detection.factory import create_detector, describe_detector
from edan_ros.engines import EngineError, create_engine, tensorrt_build
from edan_ros.engines.manifest import load_manifest, shipped_models
from edan_ros.engines.plan_cache import PlanCache
from edan_ros.engines.tensorrt_build import IMAGE_SIZES, library
from edan_ros.engines.tensorrt_run import MAX_SHAPES

pytest.importorskip("onnx", reason="TensorRT's graph is made with onnx")
try:
    REAL = library("tensorrt_rtx")
except EngineError as error:
    pytest.skip(f"no TensorRT-RTX: {error}", allow_module_level=True)

pytestmark = [
    # The stand-in for TensorRT builds with RTX, where a timing cache does nothing.
    pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX"),
    pytest.mark.skipif(SHIPPED not in shipped_models(TASK), reason="none ships"),
]

KINDS = ["tensorrt", "tensorrt_rtx"]
SIZES = [(480, 640), (32, 32), (640, 480), (96, 288), (480, 640), (32, 32)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plans of this module are kept: they are built once."""
    return tmp_path_factory.mktemp("plans")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, plans: Path) -> FakeGpu:
    monkeypatch.setenv("XDG_CACHE_HOME", str(plans))
    return FakeGpu(REAL, load_manifest(SHIPPED, TASK))


@functools.cache
def on_the_processor() -> DetectorModel:
    return DetectorModel(threads=1)


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Blurred noise, which cells answer differently."""
    noise = np.random.default_rng(height + width).integers(0, 256, (height, width), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.uint8)


def agree(network: DetectorModel, size: tuple[int, int]) -> CellPredictions:
    """The network says what it says on ONNX Runtime."""
    expected, found = on_the_processor()(picture(*size)), network(picture(*size))
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-3, err_msg=name)
    return found


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_size_of_picture_is_searched(
    kind: str, shared: bool, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size has a context, used again later; the usual one is ready from the start."""
    gpu.shared = shared
    gpu.install(monkeypatch, kind)
    network = DetectorModel(engine=kind)
    assert (network.runner.name, network.runner.selection_reason) == (kind, "requested")
    assert str(network) == f"{kind} (cuda:0 ({GPU.name}))"
    assert gpu.contexts == 1
    for size in SIZES:
        agree(network, size)
    assert (gpu.contexts, gpu.current) == (4, 0)
    # A Jetson's GPU reads page-locked memory where it is.
    assert (gpu.copies == 0) == shared
    assert gpu.launches == (len(SIZES) + 1 if kind == "tensorrt" else 0)


def test_the_size_unused_for_longest_gives_way(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of pictures may hold any number of sizes; the GPU's memory has an end."""
    gpu.install(monkeypatch, "tensorrt")
    network = DetectorModel(engine="tensorrt")
    kept, *others = [(32, 32 * n) for n in range(1, MAX_SHAPES + 5)]
    for size in others:
        agree(network, kept)
        first = agree(network, size)
        assert gpu.graphs <= MAX_SHAPES
    assert gpu.graphs == MAX_SHAPES
    assert gpu.contexts == 1 + MAX_SHAPES + 4  # each once, that of the start among them
    last = agree(network, others[0])  # gone, and made anew
    assert gpu.contexts == 2 + MAX_SHAPES + 4
    assert len(first.scores) > len(last.scores)
    del network
    gc.collect()
    assert (gpu.graphs, gpu.retained, gpu.current) == (0, 0, 0)


def test_a_picture_larger_than_the_plan_takes_is_refused(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    network = DetectorModel(engine="tensorrt")
    with pytest.raises(EngineError, match=r"does not support the input shape \(1, 1, 1312, 64\)"):
        network(np.zeros((1312, 64), np.uint8))
    agree(network, (64, 64))


def test_a_search_in_larger_pictures_is_not_for_tensorrt(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told when the detector is made, not when the first large picture comes."""
    gpu.install(monkeypatch, "tensorrt")
    largest = max(IMAGE_SIZES[-1])
    taken = create_detector("edan", engine="auto", max_side=largest)
    assert describe_detector(taken) == f"edan on tensorrt (cuda:0 ({GPU.name}))"
    reason = (
        f"the plan of {SHIPPED} takes pictures of up to {largest} pixels a side, and "
        f"detector_max_side is {largest + 1}"
    )
    said: list[str] = []
    other = create_detector("edan", engine="auto", max_side=largest + 1, log=said.append)
    assert describe_detector(other) == "edan on onnxruntime (cpu)"
    assert said == [f"{SHIPPED} runs on ONNX Runtime, not on TensorRT: {reason}"]
    with pytest.raises(EngineError) as error:
        create_detector("edan", engine="tensorrt", max_side=largest + 1)
    assert str(error.value) == reason


def test_its_plan_is_built_once_with_a_line_before_and_after(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    said: list[str] = []
    shares: list[float] = []
    for _ in range(2):
        create_detector("edan", engine="auto", log=said.append, progress=shares.append)
    assert [line.split(" ")[:2] for line in said] == [["building", SHIPPED], ["built", SHIPPED]]
    assert shares[-1] == 1.0
    ((_, key),) = PlanCache().plans()
    assert (key.model, key.precision) == (SHIPPED, "fp16")
    assert str((1, 1, *IMAGE_SIZES[1])) in key.profile


FAILURES = {
    "build": ("edan_ros.engines.tensorrt.build_plan", "tensorrt cannot build it: no tactic"),
    "graph": ("edan_ros.engines.tensorrt_run.CudaGraph", "capturing a CUDA graph failed: 900"),
    "pycuda": ("edan_ros.engines.tensorrt.pycuda", "PyCUDA is not there"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_what_fails_is_done_without_unless_it_was_demanded(
    what: str, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As for the model: one line says what runs instead and why."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    target, reason = FAILURES[what]

    def fail(*_: object, **__: object) -> None:
        raise EngineError(reason)

    monkeypatch.setattr(target, fail)
    monkeypatch.setitem(tensorrt_build.GPU_MODULES, "tensorrt_rtx", ("no_such_tensorrt",))
    said: list[str] = []
    network = DetectorModel(engine="auto", threads=1, log=said.append)
    missing = (
        "tensorrt_rtx is not installed: "
        "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
    )
    assert str(network) == "onnxruntime (cpu)"
    assert network.runner.selection_reason == f"no TensorRT: {reason}; {missing}"
    told = [line for line in said if "ONNX Runtime" in line]
    assert told == [f"{SHIPPED} runs on ONNX Runtime, not on TensorRT: {reason}; {missing}"]
    agree(network, (96, 288))
    with pytest.raises(EngineError) as error:
        create_detector("edan", engine="tensorrt", log=said.append)
    assert str(error.value) == reason


def test_model_and_detector_share_the_gpu(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.install(monkeypatch, "tensorrt")
    detector = create_detector("edan", engine="auto")
    gpu.model = load_manifest("edan-lite")
    engine = create_engine("auto", "edan-lite")
    assert engine.name == "tensorrt"
    assert describe_detector(detector).startswith("edan on tensorrt")
    assert detector.detect(Image(np.full((100, 150), 90, np.uint8), "mono")) == []
    assert engine.infer(np.zeros((3, 1, 64, 64), np.float32)).logits.shape == (3, 7)
    assert {key.model for _, key in PlanCache().plans()} == {SHIPPED, "edan-lite"}
