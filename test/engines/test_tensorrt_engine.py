"""TensorRT's engine around what a GPU does: plans, memory, graphs, and what is said of failures.

Plans are TensorRT-RTX's own; what executes them is a stand-in (fake_gpu.py).
"""

from __future__ import annotations

import functools
import gc
from pathlib import Path

import numpy as np
import pytest
from fake_gpu import GPU, FakeGpu
from numpy.typing import NDArray

from edan_ros.engines import Engine, EngineError, Prediction, create_engine, tensorrt_build
from edan_ros.engines.base import OUTPUTS
from edan_ros.engines.manifest import load_manifest
from edan_ros.engines.plan_cache import PlanCache
from edan_ros.engines.tensorrt_build import library

pytest.importorskip("onnx", reason="TensorRT's graph is made with onnx")
try:
    REAL = library("tensorrt_rtx")
except EngineError as error:
    pytest.skip(f"no TensorRT-RTX: {error}", allow_module_level=True)

# The stand-in for TensorRT builds with RTX, where a timing cache does nothing.
pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")

MODEL = "edan-lite"
KINDS = ["tensorrt", "tensorrt_rtx"]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plans of this module are kept: they are built once."""
    return tmp_path_factory.mktemp("plans")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, plans: Path) -> FakeGpu:
    monkeypatch.setenv("XDG_CACHE_HOME", str(plans))
    return FakeGpu(REAL, load_manifest(MODEL))


def faces(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).uniform(0, 255, (count, 1, 64, 64)).astype(np.float32)


@functools.cache
def reference(count: int) -> Prediction:
    return create_engine("onnxruntime", MODEL, threads=1).infer(faces(count))


def agree(engine: Engine, count: int) -> None:
    """The engine says what ONNX Runtime says."""
    expected = reference(count)
    found = engine.infer(faces(count))
    for name in OUTPUTS:
        values = getattr(expected, name)
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_batch_size_is_bound_by_name(
    kind: str, shared: bool, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan's tensors have another order; each batch size has a context, used again later."""
    gpu.shared = shared
    gpu.install(monkeypatch, kind)
    engine = create_engine(kind, MODEL)
    assert (engine.name, engine.precision, engine.selection_reason) == (kind, "fp16", "asked for")
    assert engine.device == f"cuda:0 ({GPU.name})"
    for count in (1, 5, 1, 16, 5):
        agree(engine, count)
    assert gpu.contexts == 3
    assert gpu.current == 0
    # A Jetson's GPU reads page-locked memory where it is.
    assert (gpu.copies == 0) == shared
    # TensorRT's runs are graphs: five, and one at the start. RTX makes its own inside.
    assert gpu.launches == (6 if kind == "tensorrt" else 0)


def test_more_faces_than_the_plan_takes_are_run_in_parts(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    agree(engine, 37)
    assert gpu.contexts == 3  # 1 at the start, 16, and 5 at the end
    assert engine.infer(faces(0)).landmarks.shape == (0, 68, 2)
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros((1, 3, 64, 64), np.float32))


def test_results_are_the_callers_own(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run must not change what an earlier one returned."""
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    first = engine.infer(faces(2))
    kept = first.landmarks.copy()
    engine.infer(255 - faces(2))
    np.testing.assert_array_equal(first.landmarks, kept)


def test_what_it_holds_is_given_back(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    agree(engine, 2)
    assert (gpu.graphs, gpu.retained) == (2, 1)
    del engine
    gc.collect()
    assert (gpu.graphs, gpu.retained, gpu.current) == (0, 0, 0)


def test_auto_takes_tensorrt_and_says_so(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.install(monkeypatch, "tensorrt")
    said: list[str] = []
    engine = create_engine("auto", MODEL, log=said.append)
    assert (engine.name, engine.selection_reason) == ("tensorrt", "the fastest that works here")
    assert said == []  # the plan was there


def test_a_plan_is_built_once_with_a_line_before_and_after(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    said: list[str] = []
    shares: list[float] = []
    create_engine("tensorrt", MODEL, log=said.append, progress=shares.append)
    version = REAL.__version__
    assert said[0] == (
        f"building {MODEL} for {GPU.name} with tensorrt {version}, which takes minutes: "
        "none was built yet"
    )
    assert said[1].startswith(f"built {MODEL} in ")
    assert shares[-1] == 1.0
    folder = tmp_path / "edan_ros" / "engines"
    assert {path.suffix for path in folder.glob("[!.]*")} == {".plan", ".json", ".timing"}
    create_engine("tensorrt", MODEL, log=said.append, progress=shares.append)
    assert len(said) == 2
    # Another GPU of the same kind, another driver: built again, and the reason is given.
    monkeypatch.setattr(
        "edan_ros.engines.tensorrt.find_gpu", lambda: type(GPU)(GPU.name, "8.6", "13.0")
    )
    create_engine("tensorrt", MODEL, log=said.append)
    assert len(said) == 4
    assert said[2].endswith("the one that is there is for driver 12.6 (now 13.0)")
    assert len(PlanCache(folder).plans()) == 1


def test_a_plan_that_the_runtime_refuses_is_built_anew(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    create_engine("tensorrt", MODEL, log=[].append)
    cache = PlanCache()
    (plan, _key) = next(entry for entry in cache.plans() if entry[1].library == "tensorrt")
    gpu.refused.add(plan.read_bytes())
    said: list[str] = []
    build = tensorrt_build.build_plan

    def another(*args: object) -> bytes:
        return build(*args) + b" "  # RTX builds the same bytes again

    monkeypatch.setattr("edan_ros.engines.tensorrt.build_plan", another)
    agree(create_engine("tensorrt", MODEL, log=said.append), 1)
    assert [line.split(" ")[0] for line in said] == ["building", "built"]
    assert said[0].endswith("tensorrt does not accept the plan")
    plan.unlink()  # the other tests shall build their own


FAILURES = {
    "build": (
        "edan_ros.engines.tensorrt.build_plan",
        "tensorrt cannot build the model edan-lite: no tactic",
    ),
    "graph": ("edan_ros.engines.tensorrt_run.CudaGraph", "capturing a CUDA graph failed: 900"),
    "pycuda": ("edan_ros.engines.tensorrt.pycuda", "PyCUDA is not there"),
    "folder": (
        "edan_ros.engines.plan_cache.PlanCache.prepare",
        "/home/x can be written to by other users",
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_what_fails_is_done_without_unless_it_was_demanded(
    what: str, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line says what runs instead and why."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    target, reason = FAILURES[what]

    def fail(*_: object, **__: object) -> None:
        raise EngineError(reason)

    monkeypatch.setattr(target, fail)
    monkeypatch.setitem(tensorrt_build.MODULES, "tensorrt_rtx", ("no_such_tensorrt",))
    said: list[str] = []
    engine = create_engine("auto", MODEL, threads=1, log=said.append)
    assert engine.name == "onnxruntime"
    missing = (
        "tensorrt_rtx is not installed: "
        "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
    )
    assert engine.selection_reason == f"no TensorRT: {reason}; {missing}"
    told = [line for line in said if "ONNX Runtime" in line]
    assert told == [f"{MODEL} runs on ONNX Runtime, not on TensorRT: {reason}; {missing}"]
    agree(engine, 1)
    with pytest.raises(EngineError) as error:
        create_engine("tensorrt", MODEL, log=said.append)
    assert str(error.value) == reason
