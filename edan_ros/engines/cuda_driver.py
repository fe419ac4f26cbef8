"""What little the engines ask of NVIDIA's driver itself: is there a GPU, and CUDA graphs.

The driver's library comes with the driver and needs nothing built, so a machine without a GPU is
recognised in a millisecond and without PyCUDA. PyCUDA, which does the rest, knows no graphs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

from edan_ros.engines.manifest import EngineError

LIBRARY = "libcuda.so.1"
#: CUdevice_attribute (CUDA driver API, section 'Data types').
COMPUTE_CAPABILITY = 75, 76
#: CUstreamCaptureMode: calls of other threads do not disturb the capture.
CAPTURE_THREAD_LOCAL = 1


@dataclass(frozen=True)
class Gpu:
    """The first GPU. capability: '8.7', for example. driver: the CUDA version it knows, '12.6'."""

    name: str
    capability: str
    driver: str


def _load() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise EngineError(f"there is no NVIDIA driver here ({LIBRARY} is not found)") from error


def _check(code: int, what: str) -> None:
    if code:
        raise EngineError(f"{what} failed: CUDA driver error {code}")


def find_gpu() -> Gpu:
    """The first GPU of this machine. Raises EngineError, which says what is missing."""
    cuda = _load()
    _check(cuda.cuInit(0), "starting CUDA")
    count, device = ctypes.c_int(), ctypes.c_int()
    _check(cuda.cuDeviceGetCount(ctypes.byref(count)), "counting the GPUs")
    if not count.value:
        raise EngineError("the NVIDIA driver finds no GPU")
    _check(cuda.cuDeviceGet(ctypes.byref(device), 0), "opening the GPU")
    name = ctypes.create_string_buffer(256)
    _check(cuda.cuDeviceGetName(name, len(name), device), "reading the GPU's name")
    version = ctypes.c_int()
    _check(cuda.cuDriverGetVersion(ctypes.byref(version)), "reading the driver's version")
    numbers = []
    for attribute in COMPUTE_CAPABILITY:
        value = ctypes.c_int()
        code = cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        _check(code, "reading the GPU's compute capability")
        numbers.append(str(value.value))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(errors="replace"), ".".join(numbers), driver)


class CudaGraph:
    """Work captured once and launched with a single call.

    stream: handle of the stream that ``work`` fills, which must not be the default one. The
    context of the stream must be current here and in :meth:`launch`.

    Raises EngineError when the work cannot be captured; the stream is usable afterwards.
    """

    def __init__(self, stream: int, work: Callable[[], None]) -> None:
        self._cuda = _load()
        self._stream = ctypes.c_void_p(stream)
        self._graph, self._launchable = ctypes.c_void_p(), ctypes.c_void_p()
        begin = self._cuda.cuStreamBeginCapture_v2(self._stream, CAPTURE_THREAD_LOCAL)
        _check(begin, "beginning a CUDA graph")
        try:
            work()
        finally:
            end = self._cuda.cuStreamEndCapture(self._stream, ctypes.byref(self._graph))
        _check(end, "capturing a CUDA graph")
        make = self._cuda.cuGraphInstantiateWithFlags
        code = make(ctypes.byref(self._launchable), self._graph, ctypes.c_ulonglong(0))
        _check(code, "making a CUDA graph")

    def launch(self) -> None:
        """Put the work into the stream. Raises EngineError."""
        _check(self._cuda.cuGraphLaunch(self._launchable, self._stream), "launching a CUDA graph")

    def close(self) -> None:
        """Give the graph back to the driver."""
        self._cuda.cuGraphExecDestroy(self._launchable)
        self._cuda.cuGraphDestroy(self._graph)
