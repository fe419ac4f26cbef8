"""Creation of engines, and the messages where an engine cannot run."""

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


#: Attributes of the GPU: major and minor compute capability.
ATTRIBUTES = {75: 8, 76: 7}


def set_int(reference: Any, value: int) -> None:
    """Set an integer that is passed by reference."""
    ctypes.cast(reference, ctypes.POINTER(ctypes.c_int)).contents.value = value


class Driver:
    """A fake of NVIDIA's driver. fails: name of a function that returns error 999."""

    def __init__(self, fails: str = "", gpus: int = 1) -> None:
        self.fails, self.gpus = fails, gpus
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> int:
            self.calls.append(name)
            integers = {
                "cuDeviceGetCount": self.gpus,
                "cuDeviceGet": 0,
                "cuDriverGetVersion": 12060,
            }
            if name in integers:
                set_int(args[0], integers[name])
            elif name == "cuDeviceGetName":
                args[0].value = b"Orin"
            elif name == "cuDeviceGetAttribute":
                set_int(args[0], ATTRIBUTES[args[1]])
            return 999 if name == self.fails else 0

        return call


def install(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    return driver


def no_driver(_name: str) -> None:
    raise OSError("cannot open shared object file")


def test_find_gpu_describes_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(Driver(), monkeypatch)
    assert find_gpu() == cuda_driver.Gpu("Orin", "8.7", "12.6")


@pytest.mark.parametrize("function", ["cuInit", "cuDeviceGetCount", "cuDeviceGetName"])
def test_find_gpu_reports_the_error_code_of_the_driver(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Driver(fails=function), monkeypatch)
    with pytest.raises(EngineError, match="failed: CUDA driver error 999"):
        find_gpu()


def test_find_gpu_reports_a_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(Driver(gpus=0), monkeypatch)
    with pytest.raises(EngineError, match="finds no GPU"):
        find_gpu()


def test_a_graph_is_captured_and_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(Driver(), monkeypatch)
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
def test_a_failed_graph_capture_raises_an_engine_error(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Driver(fails=fails), monkeypatch)
    with pytest.raises(EngineError, match="CUDA graph failed: CUDA driver error 999"):
        CudaGraph(77, lambda: None)


def test_a_capture_ends_when_the_captured_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the stream would be unusable."""
    driver = install(Driver(), monkeypatch)

    def work() -> None:
        raise EngineError("no plan")

    with pytest.raises(EngineError, match="no plan"):
        CudaGraph(77, work)
    assert driver.calls[-1] == "cuStreamEndCapture"


def test_auto_selects_onnx_runtime_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the normal case on most computers, so nothing is logged."""
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    lines: list[str] = []
    engine = create_engine("auto", MODEL, threads=1, log=lines.append)
    assert engine.name == "onnxruntime"
    assert (
        engine.selection_reason
        == "no TensorRT: there is no NVIDIA driver here (libcuda.so.1 is not found)"
    )
    assert lines == []


def test_auto_with_a_gpu_but_without_tensorrt_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(Driver(), monkeypatch)
    monkeypatch.setitem(tensorrt_build.GPU_MODULES, "tensorrt_rtx", ("no_such_tensorrt",))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    lines: list[str] = []
    engine = create_engine("auto", MODEL, threads=1, log=lines.append)
    assert engine.name == "onnxruntime"
    assert "tensorrt is not installed: it comes with JetPack" in engine.selection_reason
    assert len(lines) == 1


def test_tensorrt_without_a_shared_library_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_name: str) -> None:
        raise ImportError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(tensorrt_build.importlib, "import_module", load)
    with pytest.raises(EngineError, match=r"installed but cannot be loaded: libnvinfer.so.10"):
        create_engine("tensorrt", MODEL)


def test_engine_torch_without_the_library_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "edan_ros.engines.torch", raising=False)
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"needs the Python library torch: pip install"):
        create_engine("torch", MODEL)


def test_an_unknown_engine_is_rejected_with_a_list_of_engines() -> None:
    with pytest.raises(EngineError, match=f"'abacus'.*{', '.join(ENGINES)}"):
        create_engine("abacus", MODEL)


def test_engine_torch_rejects_models_of_other_architectures() -> None:
    pytest.importorskip("torch", reason="the engine torch needs torch")
    pytest.importorskip("onnx", reason="the engine torch needs onnx")
    from edan_ros.engines.manifest import ModelError, load_manifest
    from edan_ros.engines.torch import TorchEngine

    manifest = load_manifest("edan-detector", "detector")
    with pytest.raises(ModelError, match=r"torch cannot run .*: it has no tensor network.stage1"):
        TorchEngine(manifest)


def test_engine_torch_checks_the_shape_of_crops() -> None:
    pytest.importorskip("torch", reason="the engine torch needs torch")
    pytest.importorskip("onnx", reason="the engine torch needs onnx")
    engine = create_engine("torch", MODEL, threads=1)
    assert engine.infer(np.empty((0, 1, 64, 64), np.float32)).logits.shape == (0, 7)
    with pytest.raises(ValueError, match="crops must be"):
        engine.infer(np.zeros((64, 64), np.float32))
