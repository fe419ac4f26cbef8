"""Call NVIDIA's driver directly: find the GPU, and capture CUDA graphs.

The driver's library needs no compiled bindings, so a machine without a GPU is recognised within
a millisecond and without PyCUDA. PyCUDA does the rest of the work but does not support graphs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

from edan_ros.engines.manifest import EngineError

LIBRARY = "libcuda.so.1"
#: CUdevice_attribute: major and minor compute capability (CUDA driver API, "Data types").
COMPUTE_CAPABILITY = 75, 76
#: CUstreamCaptureMode: calls from other threads do not disturb the capture.
CAPTURE_THREAD_LOCAL = 1


@dataclass(frozen=True)
class Gpu:
    """The first GPU of a machine.

    Attributes:
        name: as the driver reports it.
        capability: compute capability, ``8.7`` for example.
        driver: newest CUDA version that the driver supports, ``12.6`` for example.
    """

    name: str
    capability: str
    driver: str


def _load() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise EngineError(f"there is no NVIDIA driver here ({LIBRARY} is not found)") from error


def _check(code: int, action: str) -> None:
    if code:
        raise EngineError(f"{action} failed: CUDA driver error {code}")


def find_gpu() -> Gpu:
    """Return the first GPU of this machine. Raises EngineError that names what is missing."""
    cuda = _load()
    _check(cuda.cuInit(0), "starting CUDA")
    count, device = ctypes.c_int(), ctypes.c_int()
    _check(cuda.cuDeviceGetCount(ctypes.byref(count)), "counting the GPUs")
    if not count.value:
        raise EngineError("the NVIDIA driver finds no GPU")
    _check(cuda.cuDeviceGet(ctypes.byref(device), 0), "opening the GPU")
    name = ctypes.create_string_buffer(256)
    _check(cuda.cuDeviceGetName(name, len(name), device), "reading the name of the GPU")
    version = ctypes.c_int()
    _check(cuda.cuDriverGetVersion(ctypes.byref(version)), "reading the driver version")
    numbers = []
    for attribute in COMPUTE_CAPABILITY:
        value = ctypes.c_int()
        code = cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        _check(code, "reading the compute capability of the GPU")
        numbers.append(str(value.value))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(errors="replace"), ".".join(numbers), driver)


class CudaGraph:
    """Work that is captured once and launched with a single call.

    The context of the stream must be current while the graph is created and launched.

    Args:
        stream: handle of the stream that ``work`` fills, not the default stream.
        work: enqueues the work to capture.

    Raises:
        EngineError: if the work cannot be captured; the stream stays usable.
    """

    def __init__(self, stream: int, work: Callable[[], None]) -> None:
        self._cuda = _load()
        self._stream = ctypes.c_void_p(stream)
        self._graph, self._executable = ctypes.c_void_p(), ctypes.c_void_p()
        begin = self._cuda.cuStreamBeginCapture_v2(self._stream, CAPTURE_THREAD_LOCAL)
        _check(begin, "beginning the capture of a CUDA graph")
        try:
            work()
        finally:
            end = self._cuda.cuStreamEndCapture(self._stream, ctypes.byref(self._graph))
        _check(end, "capturing a CUDA graph")
        instantiate = self._cuda.cuGraphInstantiateWithFlags
        code = instantiate(ctypes.byref(self._executable), self._graph, ctypes.c_ulonglong(0))
        _check(code, "instantiating a CUDA graph")

    def launch(self) -> None:
        """Enqueue the captured work. Raises EngineError."""
        code = self._cuda.cuGraphLaunch(self._executable, self._stream)
        _check(code, "launching a CUDA graph")

    def close(self) -> None:
        """Free the graph."""
        self._cuda.cuGraphExecDestroy(self._executable)
        self._cuda.cuGraphDestroy(self._graph)
