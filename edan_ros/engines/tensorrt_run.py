"""Run a plan: a context, page-locked buffers and a CUDA graph for each shape of the input.

PyCUDA is imported only when a plan is run: it is compiled on the machine that it runs on, and
only TensorRT needs it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.engines.base import INPUT
from edan_ros.engines.cuda_driver import CudaGraph
from edan_ros.engines.manifest import EngineError
from edan_ros.engines.tensorrt_build import library

#: Input shapes that are kept ready, as many as a recognition model has batch sizes. Images in a
#: folder may have any number of sizes; the least recently used one is released.
MAX_SHAPES = 16


class PlanError(EngineError):
    """A plan cannot be loaded and must be built again."""


def pycuda() -> Any:
    """Return PyCUDA's initialised driver module. Raises EngineError that names what to install."""
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        raise EngineError(
            f"PyCUDA is not installed ({error}): pip install pycuda, with CUDA's nvcc in the PATH"
        ) from error
    try:
        cuda.init()
    except cuda.Error as error:
        raise EngineError(f"PyCUDA cannot start: {error}") from error
    return cuda


class PlanRunner:
    """A loaded plan on the first GPU.

    Args:
        kind: ``tensorrt`` or ``tensorrt_rtx``.
        plan: the serialised plan.

    Raises:
        PlanError: if the plan cannot be loaded.
        EngineError: if the GPU fails.
    """

    def __init__(self, kind: str, plan: bytes) -> None:
        self.kind = kind
        self.trt = library(kind)
        self.cuda = pycuda()
        with self._errors():
            device = self.cuda.Device(0)
            #: Processor and GPU of a Jetson share their memory: nothing needs to be copied.
            self.shared = bool(device.get_attribute(self.cuda.device_attribute.INTEGRATED))
            self._context = device.retain_primary_context()
        self._bindings: dict[tuple[int, ...], _Binding] = {}  # the most recently used one last
        with self._errors(), self._current():
            self._log = self.trt.Logger(self.trt.Logger.ERROR)
            try:
                self._runtime = self.trt.Runtime(self._log)
            except TypeError as error:  # raised by the bindings when there is no runtime
                raise EngineError(f"{kind} cannot start its runtime") from error
            self.engine = self._runtime.deserialize_cuda_engine(plan)
            if self.engine is None:
                raise PlanError(f"{kind} does not accept the plan")
            self.stream = self.cuda.Stream()
            # The contexts never run concurrently, so they share one workspace.
            size = max(1, self.engine.device_memory_size_v2)
            self.workspace = self.cuda.mem_alloc(size), size
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        output = self.trt.TensorIOMode.OUTPUT
        self.outputs = [n for n in names if self.engine.get_tensor_mode(n) == output]

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name for an input whose shape is within the plan's profile.

        Raises EngineError when the run fails, or for another shape.
        """
        with self._errors(), self._current():
            binding = self._bindings.pop(values.shape, None) or self._bind(values.shape)
            self._bindings[values.shape] = binding
            return binding.run(values)

    def _bind(self, shape: tuple[int, ...]) -> _Binding:
        if len(self._bindings) >= MAX_SHAPES:
            self._bindings.pop(next(iter(self._bindings))).close()
        return _Binding(self, shape)

    def close(self) -> None:
        """Release everything that the plan holds on the GPU."""
        with self._current():
            for binding in self._bindings.values():
                binding.close()
            self._bindings.clear()
            del self.engine, self._runtime, self.stream, self.workspace
        self._context.detach()

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        """Make the context current: CUDA keeps one for each thread, and callers have several."""
        self._context.push()
        try:
            yield
        finally:
            self.cuda.Context.pop()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self.cuda.Error as error:
            raise EngineError(f"CUDA failed: {error}") from error


class _Binding:
    """Context, buffers and graph for one input shape. Nothing is allocated after the first run."""

    def __init__(self, runner: PlanRunner, shape: tuple[int, ...]) -> None:
        self._runner = runner
        self._graph: CudaGraph | None = None
        self._context = _create_context(runner)
        if not self._context.set_input_shape(INPUT, shape):
            raise EngineError(f"the plan does not support the input shape {shape}")
        self._host: dict[str, NDArray[Any]] = {}
        self._device: dict[str, Any] = {}
        for name in (INPUT, *runner.outputs):
            self._allocate(name)
        self._enqueue()  # the first run initialises TensorRT, which a graph must not capture
        runner.stream.synchronize()
        if runner.kind == "tensorrt":  # TensorRT-RTX captures graphs itself, see _create_context
            self._graph = CudaGraph(runner.stream.handle, self._enqueue)

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        np.copyto(self._host[INPUT], values)
        if self._graph is None:
            self._enqueue()
        else:
            self._graph.launch()
        self._runner.stream.synchronize()
        return {name: self._host[name].copy() for name in self._runner.outputs}

    def close(self) -> None:
        if self._graph is not None:
            self._graph.close()

    def _allocate(self, name: str) -> None:
        """Allocate a page-locked buffer for a tensor, and one on a GPU with its own memory."""
        cuda, trt = self._runner.cuda, self._runner.trt
        shape = tuple(self._context.get_tensor_shape(name))
        kind = trt.nptype(self._runner.engine.get_tensor_dtype(name))
        flags = cuda.host_alloc_flags.DEVICEMAP if self._runner.shared else 0
        host = cuda.pagelocked_empty(shape, kind, mem_flags=flags)
        if self._runner.shared:
            address = int(host.base.get_device_pointer())
        else:
            self._device[name] = cuda.mem_alloc(max(1, host.nbytes))
            address = int(self._device[name])
        self._host[name] = host
        self._context.set_tensor_address(name, address)

    def _enqueue(self) -> None:
        runner, cuda = self._runner, self._runner.cuda
        if not runner.shared:
            cuda.memcpy_htod_async(self._device[INPUT], self._host[INPUT], runner.stream)
        if not self._context.execute_async_v3(runner.stream.handle):
            raise EngineError(f"{runner.kind} cannot run the plan")
        if not runner.shared:
            for name in runner.outputs:
                cuda.memcpy_dtoh_async(self._host[name], self._device[name], runner.stream)


def _create_context(runner: PlanRunner) -> Any:
    """Create an execution context that uses the runner's workspace."""
    trt, engine = runner.trt, runner.engine
    strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    if runner.kind == "tensorrt_rtx":
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        context = engine.create_execution_context(config)
    else:
        context = engine.create_execution_context(strategy)
    if context is None:
        raise EngineError(f"{runner.kind} cannot create an execution context: free some GPU memory")
    memory, size = runner.workspace
    context.set_device_memory(int(memory), size)
    return context
