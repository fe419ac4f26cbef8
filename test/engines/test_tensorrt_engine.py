"""The TensorRT engine without a GPU: plans, memory, graphs and messages after failures.

TensorRT-RTX builds the plans; a fake GPU executes them (fake_gpu.py).
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

# The fake TensorRT builds with TensorRT-RTX, where a timing cache has no effect.
pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")

MODEL = "edan-lite"
KINDS = ["tensorrt", "tensorrt_rtx"]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for the plans of this module, which are built once."""
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


def check_agreement(engine: Engine, count: int) -> None:
    """Check that the engine gives the results of ONNX Runtime."""
    expected = reference(count)
    found = engine.infer(faces(count))
    for name in OUTPUTS:
        values = getattr(expected, name)
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_every_batch_size_are_bound_by_name(
    kind: str, shared: bool, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tensors of the plan have another order. Each batch size reuses its own context."""
    gpu.shared = shared
    gpu.install(monkeypatch, kind)
    engine = create_engine(kind, MODEL)
    assert (engine.name, engine.precision, engine.selection_reason) == (kind, "fp16", "requested")
    assert engine.device == f"cuda:0 ({GPU.name})"
    for count in (1, 5, 1, 16, 5):
        check_agreement(engine, count)
    assert gpu.contexts == 3
    assert gpu.current == 0
    # The GPU of a Jetson reads page-locked memory without a copy.
    assert (gpu.copies == 0) == shared
    # TensorRT launches a graph per run: five, and one at the start. TensorRT-RTX has its own.
    assert gpu.launches == (6 if kind == "tensorrt" else 0)


def test_batches_larger_than_the_plan_allows_are_split(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    check_agreement(engine, 37)
    assert gpu.contexts == 3  # 1 at the start, 16, and 5 at the end
    assert engine.infer(faces(0)).landmarks.shape == (0, 68, 2)
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros((1, 3, 64, 64), np.float32))


def test_a_tensorrt_prediction_is_not_overwritten_by_the_next_run(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    first = engine.infer(faces(2))
    kept = first.landmarks.copy()
    engine.infer(255 - faces(2))
    np.testing.assert_array_equal(first.landmarks, kept)


def test_a_deleted_engine_releases_graphs_and_context(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    engine = create_engine("tensorrt", MODEL)
    check_agreement(engine, 2)
    assert (gpu.graphs, gpu.retained) == (2, 1)
    del engine
    gc.collect()
    assert (gpu.graphs, gpu.retained, gpu.current) == (0, 0, 0)


def test_auto_selects_tensorrt_and_gives_the_reason(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    lines: list[str] = []
    engine = create_engine("auto", MODEL, log=lines.append)
    assert (engine.name, engine.selection_reason) == (
        "tensorrt",
        "the fastest engine that works here",
    )
    assert lines == []  # the plan was cached


def test_a_plan_is_built_once_and_logged_before_and_after(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.install(monkeypatch, "tensorrt")
    lines: list[str] = []
    shares: list[float] = []
    create_engine("tensorrt", MODEL, log=lines.append, progress=shares.append)
    version = REAL.__version__
    assert lines[0] == (
        f"building {MODEL} for {GPU.name} with tensorrt {version}, which takes minutes: "
        "no plan was built yet"
    )
    assert lines[1].startswith(f"built {MODEL} in ")
    assert shares[-1] == 1.0
    folder = tmp_path / "edan_ros" / "engines"
    assert {path.suffix for path in folder.glob("[!.]*")} == {".plan", ".json", ".timing"}
    create_engine("tensorrt", MODEL, log=lines.append, progress=shares.append)
    assert len(lines) == 2
    # Another driver: the plan is built again, and the log gives the reason.
    monkeypatch.setattr(
        "edan_ros.engines.tensorrt.find_gpu", lambda: type(GPU)(GPU.name, "8.6", "13.0")
    )
    create_engine("tensorrt", MODEL, log=lines.append)
    assert len(lines) == 4
    assert lines[2].endswith("the existing plan is for driver 12.6 (now 13.0)")
    assert len(PlanCache(folder).plans()) == 1


def test_a_plan_that_the_runtime_rejects_is_built_again(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch, "tensorrt")
    create_engine("tensorrt", MODEL, log=[].append)
    cache = PlanCache()
    (plan, _key) = next(entry for entry in cache.plans() if entry[1].library == "tensorrt")
    gpu.refused.add(plan.read_bytes())
    lines: list[str] = []
    build = tensorrt_build.build_plan

    def another(*args: object) -> bytes:
        return build(*args) + b" "  # TensorRT-RTX is deterministic

    monkeypatch.setattr("edan_ros.engines.tensorrt.build_plan", another)
    check_agreement(create_engine("tensorrt", MODEL, log=lines.append), 1)
    assert [line.split(" ")[0] for line in lines] == ["building", "built"]
    assert lines[0].endswith("tensorrt does not accept the plan")
    plan.unlink()  # the other tests build their own


FAILURES = {
    "build": (
        "edan_ros.engines.tensorrt.build_plan",
        "tensorrt cannot build the model edan-lite: no tactic",
    ),
    "graph": ("edan_ros.engines.tensorrt_run.CudaGraph", "capturing a CUDA graph failed: 900"),
    "pycuda": ("edan_ros.engines.tensorrt.pycuda", "PyCUDA is not installed"),
    "folder": (
        "edan_ros.engines.plan_cache.PlanCache.prepare",
        "/home/x can be written to by other users",
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_auto_falls_back_after_a_failure_and_an_explicit_engine_raises(
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
    engine = create_engine("auto", MODEL, threads=1, log=lines.append)
    assert engine.name == "onnxruntime"
    missing = (
        "tensorrt_rtx is not installed: "
        "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
    )
    assert engine.selection_reason == f"no TensorRT: {reason}; {missing}"
    fallback = [line for line in lines if "ONNX Runtime" in line]
    assert fallback == [f"{MODEL} runs on ONNX Runtime, not on TensorRT: {reason}; {missing}"]
    check_agreement(engine, 1)
    with pytest.raises(EngineError) as error:
        create_engine("tensorrt", MODEL, log=lines.append)
    assert str(error.value) == reason
