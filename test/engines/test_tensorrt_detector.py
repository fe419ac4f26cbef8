"""The face detector on TensorRT: images of any size, and the fallback where it cannot run.

As in test_tensorrt_engine.py, TensorRT-RTX builds the plans, and a fake GPU executes them.
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
    # The fake TensorRT builds with TensorRT-RTX, where a timing cache has no effect.
    pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX"),
    pytest.mark.skipif(SHIPPED not in shipped_models(TASK), reason="no detector ships"),
]

KINDS = ["tensorrt", "tensorrt_rtx"]
SIZES = [(480, 640), (32, 32), (640, 480), (96, 288), (480, 640), (32, 32)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for the plans of this module, which are built once."""
    return tmp_path_factory.mktemp("plans")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, plans: Path) -> FakeGpu:
    monkeypatch.setenv("XDG_CACHE_HOME", str(plans))
    return FakeGpu(REAL, load_manifest(SHIPPED, TASK))


@functools.cache
def on_the_processor() -> DetectorModel:
    return DetectorModel(threads=1)


def noise_image(height: int, width: int) -> NDArray[np.uint8]:
    """Return blurred noise, for which the predictions of the cells differ."""
    noise = np.random.default_rng(height + width).integers(0, 256, (height, width), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.uint8)


def check_agreement(network: DetectorModel, size: tuple[int, int]) -> CellPredictions:
    """Check that the model gives the results of ONNX Runtime."""
    expected, found = on_the_processor()(noise_image(*size)), network(noise_image(*size))
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-3, err_msg=name)
    return found


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_detector_supports_images_of_every_size(
    kind: str, shared: bool, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size reuses its own context; that of the usual size exists from the start."""
    gpu.shared = shared
    gpu.install(monkeypatch, kind)
    network = DetectorModel(engine=kind)
    assert (network.runner.name, network.runner.selection_reason) == (kind, "requested")
    assert str(network) == f"{kind} (cuda:0 ({GPU.name}))"
    assert gpu.contexts == 1
    for size in SIZES:
        check_agreement(network, size)
    assert (gpu.contexts, gpu.current) == (4, 0)
    # The GPU of a Jetson reads page-locked memory without a copy.
    assert (gpu.copies == 0) == shared
    assert gpu.launches == (len(SIZES) + 1 if kind == "tensorrt" else 0)


def test_the_least_recently_used_image_size_is_released(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images in a folder may have any number of sizes, but the GPU's memory is limited."""
    gpu.install(monkeypatch, "tensorrt")
    network = DetectorModel(engine="tensorrt")
    recent, *others = [(32, 32 * n) for n in range(1, MAX_SHAPES + 5)]
    for size in others:
        check_agreement(network, recent)
        first = check_agreement(network, size)
        assert gpu.graphs <= MAX_SHAPES
    assert gpu.graphs == MAX_SHAPES
    assert gpu.contexts == 1 + MAX_SHAPES + 4  # one per size, and the one from the start
    last = check_agreement(network, others[0])  # released, and created again
    assert gpu.contexts == 2 + MAX_SHAPES + 4
    assert len(first.scores) > len(last.scores)
    del network
    gc.collect()
    assert (gpu.graphs, gpu.retained, gpu.current) == (0, 0, 0)


def test_an_image_larger_than_the_plan_supports_is_rejected(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    network = DetectorModel(engine="tensorrt")
    with pytest.raises(EngineError, match=r"does not support the input shape \(1, 1, 1312, 64\)"):
        network(np.zeros((1312, 64), np.uint8))
    check_agreement(network, (64, 64))


def test_tensorrt_is_not_selected_for_larger_images(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged when the detector is created, before the first large image."""
    gpu.install(monkeypatch, "tensorrt")
    largest = max(IMAGE_SIZES[-1])
    detector = create_detector("edan", engine="auto", max_side=largest)
    assert describe_detector(detector) == f"edan on tensorrt (cuda:0 ({GPU.name}))"
    reason = (
        f"the TensorRT plan of {SHIPPED} takes images of up to {largest} pixels a side, but "
        f"detector_max_side is {largest + 1}: reduce it, or use another engine"
    )
    lines: list[str] = []
    other = create_detector("edan", engine="auto", max_side=largest + 1, log=lines.append)
    assert describe_detector(other) == "edan on onnxruntime (cpu)"
    assert lines == [f"{SHIPPED} runs on ONNX Runtime, not on TensorRT: {reason}"]
    with pytest.raises(EngineError) as error:
        create_detector("edan", engine="tensorrt", max_side=largest + 1)
    assert str(error.value) == reason


def test_a_detectors_plan_is_built_once_and_logged(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    lines: list[str] = []
    shares: list[float] = []
    for _ in range(2):
        create_detector("edan", engine="auto", log=lines.append, progress=shares.append)
    assert [line.split(" ")[:2] for line in lines] == [["building", SHIPPED], ["built", SHIPPED]]
    assert shares[-1] == 1.0
    ((_, key),) = PlanCache().plans()
    assert (key.model, key.precision) == (SHIPPED, "fp16")
    assert str((1, 1, *IMAGE_SIZES[1])) in key.profile


FAILURES = {
    "build": ("edan_ros.engines.tensorrt.build_plan", "tensorrt cannot build it: no tactic"),
    "graph": ("edan_ros.engines.tensorrt_run.CudaGraph", "capturing a CUDA graph failed: 900"),
    "pycuda": ("edan_ros.engines.tensorrt.pycuda", "PyCUDA is not installed"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_the_detector_falls_back_after_a_failure_unless_tensorrt_is_requested(
    what: str, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line of the log gives the fallback and the reason."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    target, reason = FAILURES[what]

    def fail(*_: object, **__: object) -> None:
        raise EngineError(reason)

    monkeypatch.setattr(target, fail)
    monkeypatch.setitem(tensorrt_build.GPU_MODULES, "tensorrt_rtx", ("no_such_tensorrt",))
    lines: list[str] = []
    network = DetectorModel(engine="auto", threads=1, log=lines.append)
    missing = (
        "tensorrt_rtx is not installed: "
        "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
    )
    assert str(network) == "onnxruntime (cpu)"
    assert network.runner.selection_reason == f"no TensorRT: {reason}; {missing}"
    fallback = [line for line in lines if "ONNX Runtime" in line]
    assert fallback == [f"{SHIPPED} runs on ONNX Runtime, not on TensorRT: {reason}; {missing}"]
    check_agreement(network, (96, 288))
    with pytest.raises(EngineError) as error:
        create_detector("edan", engine="tensorrt", log=lines.append)
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
