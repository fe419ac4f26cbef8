"""Which engine is made, and what is said where one cannot be."""

from __future__ import annotations

import builtins
import ctypes
import sys
from typing import Any

import numpy as np
import pytest

from edan_ros.engines import ENGINES, EngineError, create_engine, cuda_driver, tensorrt_build
from edan_ros.engines.cuda_driver import CudaGraph, find_gpu

MODEL = "edan-lite"


class Driver:
    """NVIDIA's driver with answers of its own. fails: a function that returns error 999."""

    NUMBERS = {"cuDeviceGetCount": 1, "cuDeviceGet": 0, "cuDriverGetVersion": 12060}  # noqa: RUF012
    ATTRIBUTES = {75: 8, 76: 7}  # noqa: RUF012

    def __init__(self, fails: str = "", gpus: int = 1) -> None:
        self.fails, self.gpus = fails, gpus
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> int:
            self.calls.append(name)
            if name == "cuDeviceGetCount":
                args[0]._obj.value = self.gpus
            elif name in self.NUMBERS:
                args[0]._obj.value = self.NUMBERS[name]
            elif name == "cuDeviceGetName":
                args[0].value = b"Orin"
            elif name == "cuDeviceGetAttribute":
                args[0]._obj.value = self.ATTRIBUTES[args[1]]
            return 999 if name == self.fails else 0

        return call


def use(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    return driver


def no_driver(_name: str) -> None:
    raise OSError("cannot open shared object file")


def test_the_gpu_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Driver(), monkeypatch)
    assert find_gpu() == cuda_driver.Gpu("Orin", "8.7", "12.6")


@pytest.mark.parametrize("function", ["cuInit", "cuDeviceGetCount", "cuDeviceGetName"])
def test_a_driver_that_fails_is_quoted(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Driver(fails=function), monkeypatch)
    with pytest.raises(EngineError, match="failed: CUDA driver error 999"):
        find_gpu()


def test_a_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Driver(gpus=0), monkeypatch)
    with pytest.raises(EngineError, match="finds no GPU"):
        find_gpu()


def test_a_graph_is_captured_and_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = use(Driver(), monkeypatch)
    graph = CudaGraph(77, lambda: driver.calls.append("work"))
    graph.launch()
    graph.close()
    assert driver.calls == [
        "cuStreamBeginCapture_v2",
        "work",
        "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags",
        "cuGraphLaunch",
        "cuGraphExecDestroy",
        "cuGraphDestroy",
    ]


@pytest.mark.parametrize(
    "fails", ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"]
)
def test_what_cannot_be_captured_is_told(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Driver(fails=fails), monkeypatch)
    with pytest.raises(EngineError, match="CUDA graph failed: CUDA driver error 999"):
        CudaGraph(77, lambda: None)


def test_a_capture_is_ended_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the stream would be of no more use."""
    driver = use(Driver(), monkeypatch)

    def work() -> None:
        raise EngineError("no plan")

    with pytest.raises(EngineError, match="no plan"):
        CudaGraph(77, work)
    assert driver.calls[-1] == "cuStreamEndCapture"


def test_auto_without_a_gpu_is_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary computer: nothing is wrong, so nothing is told but the reason."""
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    said: list[str] = []
    engine = create_engine("auto", MODEL, threads=1, log=said.append)
    assert engine.name == "onnxruntime"
    assert (
        engine.selection_reason
        == "no TensorRT: there is no NVIDIA driver here (libcuda.so.1 is not found)"
    )
    assert said == []


def test_auto_with_a_gpu_and_no_tensorrt_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(Driver(), monkeypatch)
    monkeypatch.setitem(tensorrt_build.MODULES, "tensorrt_rtx", ("no_such_tensorrt",))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    said: list[str] = []
    engine = create_engine("auto", MODEL, threads=1, log=said.append)
    assert engine.name == "onnxruntime"
    assert "tensorrt is not installed: it comes with JetPack" in engine.selection_reason
    assert len(said) == 1


def test_tensorrt_that_lacks_a_library_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_name: str) -> None:
        raise ImportError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(tensorrt_build.importlib, "import_module", load)
    with pytest.raises(EngineError, match=r"installed but cannot be loaded: libnvinfer.so.10"):
        create_engine("tensorrt", MODEL)


def test_torch_without_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "edan_ros.engines.torch", raising=False)
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"needs the Python library torch: pip install"):
        create_engine("torch", MODEL)


def test_an_engine_that_there_is_not() -> None:
    with pytest.raises(EngineError, match=f"'abacus'.*{', '.join(ENGINES)}"):
        create_engine("abacus", MODEL)


def test_torch_takes_no_other_network() -> None:
    """The detector's tensors are not an EmotionalDAN's."""
    pytest.importorskip("torch", reason="the engine torch needs torch")
    pytest.importorskip("onnx", reason="the engine torch needs onnx")
    from edan_ros.engines.manifest import ModelError, load_manifest
    from edan_ros.engines.torch import TorchEngine

    manifest = load_manifest("edan-detector", "detector")
    with pytest.raises(ModelError, match=r"torch cannot run .*: it has no tensor network.stage1"):
        TorchEngine(manifest)


def test_torch_checks_the_crops() -> None:
    pytest.importorskip("torch", reason="the engine torch needs torch")
    pytest.importorskip("onnx", reason="the engine torch needs onnx")
    engine = create_engine("torch", MODEL, threads=1)
    assert engine.infer(np.empty((0, 1, 64, 64), np.float32)).logits.shape == (0, 7)
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros((64, 64), np.float32))
