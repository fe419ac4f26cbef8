"""A fake GPU: the memory and streams of CUDA, and the runtime of TensorRT.

TensorRT-RTX still parses and builds. Device memory is host memory; a context reads and writes its
tensors at the addresses that are set, and computes with ONNX Runtime. While a CUDA graph is
captured, work in the stream is recorded and not executed.
"""

from __future__ import annotations

import ctypes
import math
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edan_ros.engines import tensorrt, tensorrt_run
from edan_ros.engines.base import INPUT
from edan_ros.engines.cuda_driver import Gpu
from edan_ros.engines.manifest import Manifest
from edan_ros.engines.tensorrt_build import profile_of

GPU = Gpu("Fake RTX 3060", "8.6", "12.6")


class FakeGpu:
    """A machine with a GPU.

    Attributes:
        model: the model that every plan computes.
        shared: whether GPU and processor share their memory.
        refused: plans that the runtime rejects.
        contexts: number of execution contexts created.
        current: depth of the thread's stack of CUDA contexts.
        captured: work recorded for the graph being captured.
        graphs: number of live graphs.
        retained: number of references to CUDA's primary context.
        launches: number of graph launches.
        copies: number of copies between host and device.
    """

    def __init__(self, real: Any, model: Manifest) -> None:
        self.real, self.model = real, model
        self.shared = False
        self.refused: set[bytes] = set()
        self.contexts = 0
        self.current = 0
        self.captured: list[Callable[[], None]] | None = None
        self.graphs = 0
        self.retained = 0
        self.launches = 0
        self.copies = 0

    def enqueue(self, work: Callable[[], None]) -> None:
        """Enqueue work in the stream."""
        assert self.current == 1, "no CUDA context is current"
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def install(self, patch: pytest.MonkeyPatch, kind: str) -> None:
        """Make the engines detect this GPU and this kind of TensorRT."""
        patch.setitem(sys.modules, kind, self._tensorrt())
        patch.setitem(sys.modules, "pycuda", types.ModuleType("pycuda"))
        patch.setitem(sys.modules, "pycuda.driver", self._pycuda())
        sys.modules["pycuda"].driver = sys.modules["pycuda.driver"]
        patch.setattr(tensorrt, "find_gpu", lambda: GPU)
        patch.setattr("edan_ros.engines.cuda_driver.find_gpu", lambda: GPU)
        patch.setattr(tensorrt_run, "CudaGraph", self._graph)

    def _tensorrt(self) -> types.ModuleType:
        module = types.ModuleType("tensorrt")
        module.__getattr__ = lambda name: getattr(self.real, name)
        module.__version__ = self.real.__version__
        module.Builder = lambda logger: _Builder(self.real, logger)
        module.Runtime = lambda _logger: types.SimpleNamespace(
            deserialize_cuda_engine=lambda plan: None if plan in self.refused else _Engine(self)
        )
        return module

    def _pycuda(self) -> types.ModuleType:
        module = types.ModuleType("pycuda.driver")
        module.Error = type("Error", (Exception,), {})
        module.init = lambda: None
        module.Device = lambda number: _Device(self, number)
        module.Context = types.SimpleNamespace(pop=self._pop)
        module.device_attribute = types.SimpleNamespace(INTEGRATED="integrated")
        module.host_alloc_flags = types.SimpleNamespace(DEVICEMAP=2)
        module.Stream = lambda: types.SimpleNamespace(handle=77, synchronize=lambda: None)
        module.mem_alloc = _Memory
        module.pagelocked_empty = _pagelocked
        module.memcpy_htod_async = lambda to, host, stream: self._copy(to, host, stream, True)
        module.memcpy_dtoh_async = lambda host, at, stream: self._copy(at, host, stream, False)
        return module

    def _pop(self) -> None:
        self.current -= 1

    def _copy(self, memory: _Memory, host: np.ndarray, stream: Any, to_device: bool) -> None:
        assert stream.handle == 77
        pair = (int(memory), host.ctypes.data)

        def copy() -> None:
            self.copies += 1
            target, source = pair if to_device else pair[::-1]
            ctypes.memmove(target, source, host.nbytes)

        self.enqueue(copy)

    def _graph(self, stream: int, work: Callable[[], None]) -> Any:
        assert stream == 77
        self.captured = kept = []
        work()
        self.captured = None
        self.graphs += 1

        def launch() -> None:
            self.launches += 1
            for step in kept:
                step()

        def close() -> None:
            self.graphs -= 1

        return types.SimpleNamespace(launch=launch, close=close)


class _Device:
    def __init__(self, gpu: FakeGpu, number: int) -> None:
        assert number == 0
        self._gpu = gpu

    def get_attribute(self, name: str) -> int:
        assert name == "integrated"
        return int(self._gpu.shared)

    def retain_primary_context(self) -> Any:
        self._gpu.retained += 1

        def push() -> None:
            self._gpu.current += 1

        def detach() -> None:
            self._gpu.retained -= 1

        return types.SimpleNamespace(push=push, detach=detach)


class _Memory:
    """Device memory, which converts to its address as in PyCUDA."""

    def __init__(self, size: int) -> None:
        self._bytes = ctypes.create_string_buffer(size)

    def __int__(self) -> int:
        return ctypes.addressof(self._bytes)


def _pagelocked(shape: tuple[int, ...], dtype: Any, mem_flags: int = 0) -> np.ndarray:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    methods = {"get_device_pointer": lambda memory: ctypes.addressof(memory)} if mem_flags else {}
    kind = type("Allocation", (ctypes.c_char * size,), methods)
    return np.ndarray(shape, dtype, buffer=kind())


class _Builder:
    """TensorRT-RTX's builder, set to a compute capability because there is no GPU."""

    def __init__(self, real: Any, logger: Any) -> None:
        self._real, self._builder = real, real.Builder(logger)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def create_builder_config(self) -> Any:
        config = self._builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(self._real.ComputeCapability.SM86, 0)
        return config

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        return self._builder.build_serialized_network(network, config)


class _Engine:
    """A loaded plan, with its tensors in another order than OUTPUTS."""

    device_memory_size_v2 = 4096

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.trt = gpu, gpu.real
        self.session = onnxruntime.InferenceSession(str(gpu.model.path))
        self.smallest, _, self.largest = profile_of(gpu.model)[INPUT]
        self.names = sorted(v.name for v in self.session.get_outputs())
        self.names.append(self.session.get_inputs()[0].name)
        self.num_io_tensors = len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self.trt.TensorIOMode
        return modes.INPUT if name == self.names[-1] else modes.OUTPUT

    def get_tensor_dtype(self, _name: str) -> Any:
        return self.trt.DataType.FLOAT

    def create_runtime_config(self) -> Any:
        return types.SimpleNamespace(set_execution_context_allocation_strategy=lambda _: None)

    def create_execution_context(self, _how: Any) -> _Context:
        self.gpu.contexts += 1
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._memory = 0

    def set_device_memory(self, address: int, size: int) -> None:
        assert size >= self._engine.device_memory_size_v2
        self._memory = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        sides = zip(self._engine.smallest, shape, self._engine.largest, strict=True)
        if not all(low <= side <= high for low, side, high in sides):
            return False
        feed = {name: np.zeros(shape, np.float32)}
        outputs = self._engine.session.run(self._engine.names[:-1], feed)
        shapes = [value.shape for value in outputs]
        self._shapes = dict(zip(self._engine.names, [*shapes, shape], strict=True))
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        if not self._memory or stream != 77 or set(self._addresses) != set(self._shapes):
            return False
        tensors = {name: self._tensor(name) for name in self._shapes}

        def compute() -> None:
            *outputs, given = self._engine.names
            values = self._engine.session.run(outputs, {given: tensors[given].copy()})
            for name, value in zip(outputs, values, strict=True):
                tensors[name][...] = value

        self._engine.gpu.enqueue(compute)
        return True

    def _tensor(self, name: str) -> np.ndarray:
        count = math.prod(self._shapes[name])
        memory = (ctypes.c_float * count).from_address(self._addresses[name])
        return np.ctypeslib.as_array(memory).reshape(self._shapes[name])
