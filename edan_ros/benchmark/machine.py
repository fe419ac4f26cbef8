"""The peak performance of the machine, the reference for all other results.

The matrix rate is the highest that ONNX Runtime, NumPy and, where it is installed, torch reach on
a large FP32 product; they differ by more than a factor of two on some processors. Each runs in its
own process with the engine's number of threads.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.benchmark.measurement import fastest

#: Side of the square matrices: three of them take 28 MB, more than the private caches of a core.
SIDE = 1536
#: Bytes that are copied to measure the bandwidth, far more than any cache.
COPIED = 256 * 2**20
LIBRARIES = ("onnxruntime", "numpy", "torch")

Matrix = NDArray[np.float32]
Product = Callable[[], Matrix]

#: A serialised ONNX model with the operator MatMul, opset 17: inputs a and b, output c, FP32 of any
#: size. It is stored here because the library onnx is not a dependency; a test compares both.
MATMUL_MODEL = base64.b64decode(
    "CAgSADphChEKAWEKAWISAWMiBk1hdE11bBIHcHJvZHVjdFoVCgFhEhAKDggBEgoKAxIBbQoDEgFrWhUKAWISEAoO"
    "CAESCgoDEgFrCgMSAW5iFQoBYxIQCg4IARIKCgMSAW0KAxIBbkIECgAQEQ=="
)


@dataclass(frozen=True)
class Machine:
    """The machine and its peak performance.

    Attributes:
        cpu: name of the processor.
        cores: number of cores that this process may use.
        threads: threads of the engine and of the matrix products.
        gemm_gflops_fp32: highest rate of ``gemm_by``, 1e9 operations per second.
        gemm_by: library -> its rate, 1e9 operations per second.
        copy_gbps: bytes read and written by a copy in memory, 1e9 per second.
    """

    cpu: str
    cores: int
    threads: int
    gemm_gflops_fp32: float
    gemm_by: dict[str, float]
    copy_gbps: float


def measure_machine(
    threads: int,
    seconds: float,
    libraries: Sequence[str] = LIBRARIES,
    measure_rate: Callable[[str, int, float], float] | None = None,
) -> Machine:
    """Measure the machine.

    Args:
        threads: threads of the matrix products.
        seconds: duration for each library and for the copy.
        libraries: libraries to measure, where they are installed.
        measure_rate: measures one library; None selects :func:`matrix_rate_in_process`.
    """
    measure_rate = measure_rate or matrix_rate_in_process
    rates = {
        name: measure_rate(name, threads, seconds)
        for name in libraries
        if importlib.util.find_spec(name) is not None
    }
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        threads=threads,
        gemm_gflops_fp32=round(max(rates.values()), 1),
        gemm_by={name: round(rate, 1) for name, rate in rates.items()},
        copy_gbps=round(_copy_rate(seconds), 1),
    )


def matrix_rate(
    library: str,
    threads: int,
    seconds: float,
    side: int = SIDE,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the FP32 operations of a library in this process, 1e9 per second.

    NumPy reads its number of threads from the environment when it is loaded and ignores
    ``threads``.
    """
    rng = np.random.default_rng(0)
    a = rng.random((side, side), np.float32)
    b = rng.random((side, side), np.float32)
    return 2.0 * side**3 / fastest(PRODUCTS[library](a, b, threads), seconds, clock) / 1e9


def matrix_rate_in_process(library: str, threads: int, seconds: float) -> float:
    """Return :func:`matrix_rate` measured in a new process with that many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", __name__, library, str(threads), str(seconds)],
        env=os.environ | dict.fromkeys(names, str(threads)),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def _onnxruntime_product(a: Matrix, b: Matrix, threads: int) -> Product:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(MATMUL_MODEL, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    c = np.empty_like(a)
    for name, value in (("a", a), ("b", b)):
        binding.bind_input(name, "cpu", 0, np.float32, value.shape, value.ctypes.data)
    binding.bind_output("c", "cpu", 0, np.float32, c.shape, c.ctypes.data)

    def product(_inputs: tuple[Matrix, Matrix] = (a, b)) -> Matrix:
        # The session has only the addresses of the matrices: the default argument keeps them alive.
        session.run_with_iobinding(binding)
        return c

    return product


def _torch_product(a: Matrix, b: Matrix, threads: int) -> Product:
    import torch

    torch.set_num_threads(threads)
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    return lambda: np.asarray((first @ second).numpy())


def _numpy_product(a: Matrix, b: Matrix, _threads: int) -> Product:
    return lambda: a @ b


#: Library -> creates a function that multiplies two matrices with the given number of threads.
PRODUCTS: dict[str, Callable[[Matrix, Matrix, int], Product]] = {
    "onnxruntime": _onnxruntime_product,
    "numpy": _numpy_product,
    "torch": _torch_product,
}


def _copy_rate(seconds: float) -> float:
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    return 2.0 * COPIED / fastest(lambda: np.copyto(target, source), seconds) / 1e9


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(matrix_rate(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
