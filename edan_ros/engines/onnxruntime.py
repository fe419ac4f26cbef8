"""Run a model on ONNX Runtime: any CPU, and CUDA where its provider is installed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edan_ros.engines.base import INPUT, OUTPUTS, Prediction, check_crops
from edan_ros.engines.manifest import EngineError, Manifest, ModelError

#: More threads than this do not make one face faster.
MAX_THREADS = 4
#: Raw cameras of 640x480 at 30 Hz whose driver, transport and decoding keep one core busy.
CAMERAS_PER_CORE = 4
#: Microseconds for which a thread waits awake for the next operator. Sleeping at once costs
#: edan-lite 5.3 ms a face instead of 3.4 on two cores, longer waking gains nothing.
SPIN_US = 50


def default_threads(cameras: int = 0) -> int:
    """Threads for a model when the user sets none: the cores that ``cameras`` leave free.

    At least 1 and at most MAX_THREADS, of the cores that this process may use.
    """
    free = _cores() - math.ceil(cameras / CAMERAS_PER_CORE)
    return max(1, min(MAX_THREADS, free))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class OnnxRuntimeEngine:
    """A model on ONNX Runtime.

    One face runs on as many threads as the cameras leave free. Several faces would keep those busy
    for so long that images are lost, and divide well: they are cut into parts that run at once, on
    all cores.

    Args:
        manifest: the model's manifest; its file has been checked.
        threads: threads of one run, and of all faces; 0 takes :func:`default_threads` and parts.
        cameras: that keep cores of this machine busy.

    Raises:
        ModelError: if the file is no ONNX model or lacks an input or output of this package.
    """

    name = "onnxruntime"

    def __init__(self, manifest: Manifest, *, threads: int = 0, cameras: int = 0) -> None:
        self.manifest = manifest
        self.selection_reason = ""
        # Weights stored as FP16 are widened once, at load.
        self.precision = "int8" if manifest.quantised else "fp32"
        self.threads = threads or default_threads(cameras)
        #: A batch is cut into so many parts at most.
        self.parts = 1 if threads else max(1, _cores() // self.threads)
        self._pool = ThreadPoolExecutor(self.parts, f"{manifest.name}-part")
        self._session = open_session(manifest.path, OUTPUTS, threads=self.threads)
        self.device = device_of(self._session)
        self._shapes = self._output_shapes()

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        check_crops(crops, self.input_size)
        if not len(crops):
            return Prediction.empty(len(self.manifest.labels))
        crops = np.ascontiguousarray(crops, np.float32)
        outputs = {k: np.empty((len(crops), *shape), np.float32) for k, shape in self._shapes}
        parts = min(self.parts, len(crops))
        ends = [len(crops) * part // parts for part in range(parts + 1)]
        runs = [
            self._pool.submit(self._run, crops[a:b], {k: v[a:b] for k, v in outputs.items()})
            for a, b in pairwise(ends[1:])
        ]
        self._run(crops[: ends[1]], {k: v[: ends[1]] for k, v in outputs.items()})
        for run in runs:
            run.result()
        return Prediction(**outputs)

    def _run(self, crops: NDArray[np.float32], outputs: Mapping[str, NDArray[np.float32]]) -> None:
        # Bound to our own memory, the run copies nothing in or out.
        binding = self._session.io_binding()
        _bind(binding.bind_input, INPUT, crops)
        for name, values in outputs.items():
            _bind(binding.bind_output, name, values)
        try:
            self._session.run_with_iobinding(binding)
        except RuntimeError as error:  # what a bound run raises
            raise EngineError(f"ONNX Runtime cannot run {self.manifest.name}: {error}") from error

    def _output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Each output and its shape for one face, by a first run: the file need not tell."""
        face = np.zeros((1, 1, self.input_size, self.input_size), np.float32)
        try:
            values = self._session.run(OUTPUTS, {INPUT: face})
        except Exception as error:  # as in open_session
            raise ModelError(
                f"{self.manifest.path} does not run on a crop of {self.input_size} pixels: {error}"
            ) from error
        return [(name, v.shape[1:]) for name, v in zip(OUTPUTS, values, strict=True)]


def _bind(bind: Callable[..., None], name: str, values: NDArray[np.float32]) -> None:
    bind(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)


def open_session(path: Path, wanted: Sequence[str], *, threads: int) -> ort.InferenceSession:
    """A session of a model with the input INPUT and at least the outputs ``wanted``.

    Raises ModelError if the file is no ONNX model or has other inputs or outputs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    # A robot has other work to do: threads spin between the operators of one run, not after it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    options.log_severity_level = 3
    known = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in known if name in ort.get_available_providers()]
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exception classes are not public and share no base
        raise ModelError(f"{path} is not a model that ONNX Runtime can load: {error}") from error
    inputs = {value.name for value in session.get_inputs()}
    outputs = {value.name for value in session.get_outputs()}
    if inputs != {INPUT} or not outputs.issuperset(wanted):
        raise ModelError(
            f"{path} is not a model of this package: expected the input {INPUT} and the outputs "
            f"{', '.join(wanted)}; found {', '.join(sorted(inputs))} and "
            f"{', '.join(sorted(outputs))}"
        )
    return session


def device_of(session: ort.InferenceSession) -> str:
    """Where a session runs, "cpu" or "cuda"."""
    return "cuda" if session.get_providers()[0].startswith("CUDA") else "cpu"
