"""What the machine can do at best: the floor that every other figure is held against.

The matrix rate is the highest that ONNX Runtime, numpy and, where it is installed, torch reach on
one large FP32 product; they differ by more than twice on some processors. Each runs in a process
of its own with the threads that the engine has.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edan_ros.benchmark.timing import fastest

#: Side of the square matrices: three of them are 28 MB, more than a core's own caches hold.
SIDE = 1536
#: Bytes that are copied to measure the bandwidth, far more than any cache of a robot holds.
COPIED = 256 * 2**20
LIBRARIES = ("onnxruntime", "numpy", "torch")

# A graph of the one operator MatMul, opset 17: inputs a and b, output c, FP32 of any size. Written
# by onnx, which is not needed to run a model; a test holds it against what onnx writes.
_MATMUL = base64.b64decode(
    "CAgSADphChEKAWEKAWISAWMiBk1hdE11bBIHcHJvZHVjdFoVCgFhEhAKDggBEgoKAxIBbQoDEgFrWhUKAWISEAoO"
    "CAESCgoDEgFrCgMSAW5iFQoBYxIQCg4IARIKCgMSAW0KAxIBbkIECgAQEQ=="
)


@dataclass(frozen=True)
class Machine:
    """The machine, and its floor.

    cpu: the processor's name. cores: that this process may use. threads: of the engine and of
    the matrix products. gemm_gflops_fp32: the highest rate of ``gemm_by``, in 1e9 operations a
    second. gemm_by: library -> its rate. copy_gbps: bytes read and written by a copy in memory,
    1e9 a second.
    """

    cpu: str
    cores: int
    threads: int
    gemm_gflops_fp32: float
    gemm_by: dict[str, float]
    copy_gbps: float


def measure_machine(threads: int, seconds: float) -> Machine:
    """Measure for ``seconds`` a library and for the copy."""
    rates = {
        name: _in_a_process(name, threads, seconds)
        for name in LIBRARIES
        if importlib.util.find_spec(name) is not None
    }
    return Machine(
        cpu=_processor(),
        cores=len(os.sched_getaffinity(0)),
        threads=threads,
        gemm_gflops_fp32=round(max(rates.values()), 1),
        gemm_by={name: round(rate, 1) for name, rate in rates.items()},
        copy_gbps=round(_copy_rate(seconds), 1),
    )


def matrix_rate(library: str, threads: int, seconds: float) -> float:
    """FP32 operations a second, in 1e9, of one library in this process.

    numpy takes its number of threads from the environment when it is loaded, not from here.
    """
    rng = np.random.default_rng(0)
    a = rng.random((SIDE, SIDE), np.float32)
    b = rng.random((SIDE, SIDE), np.float32)
    products: dict[str, Callable[[], Callable[[], object]]] = {
        "onnxruntime": lambda: _onnxruntime_product(a, b, threads),
        "numpy": lambda: lambda: a @ b,
        "torch": lambda: _torch_product(a, b, threads),
    }
    return 2.0 * SIDE**3 / fastest(products[library](), seconds) / 1e9


def _in_a_process(library: str, threads: int, seconds: float) -> float:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", __name__, library, str(threads), str(seconds)],
        env=os.environ | dict.fromkeys(names, str(threads)),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def _onnxruntime_product(a: np.ndarray, b: np.ndarray, threads: int) -> Callable[[], object]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(_MATMUL, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    c = np.empty_like(a)
    for name, value in (("a", a), ("b", b)):
        binding.bind_input(name, "cpu", 0, np.float32, value.shape, value.ctypes.data)
    binding.bind_output("c", "cpu", 0, np.float32, c.shape, c.ctypes.data)

    def product() -> object:
        session.run_with_iobinding(binding)
        return a, b, c  # the session only has their addresses

    return product


def _torch_product(a: np.ndarray, b: np.ndarray, threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    return lambda: first @ second


def _copy_rate(seconds: float) -> float:
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    return 2.0 * COPIED / fastest(lambda: np.copyto(target, source), seconds) / 1e9


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(matrix_rate(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
