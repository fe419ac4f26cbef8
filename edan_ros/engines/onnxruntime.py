"""Run a model on ONNX Runtime: on any CPU, and with CUDA where its provider is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edan_ros.engines.base import (
    INPUT,
    OUTPUTS,
    Prediction,
    check_crops,
    default_threads,
    usable_cores,
)
from edan_ros.engines.manifest import EngineError, Manifest, ModelError

#: Microseconds for which a thread spins while it waits for the next operator. Sleeping at once
#: makes edan-lite about 50 % slower on two cores; spinning for longer gains nothing.
SPIN_US = 50


class OnnxRuntimeEngine:
    """A model on ONNX Runtime.

    A single face uses the threads that the cameras leave free. Several faces would occupy those
    for so long that images are dropped, so a batch is split into parts that run concurrently on
    all cores.

    Args:
        manifest: the verified manifest of the model.
        threads: threads for one run and for a whole batch; 0 selects :func:`default_threads` and
            splits batches.
        cameras: number of cameras that occupy cores of this machine.

    Attributes:
        session: the session of ONNX Runtime.
        parts: largest number of parts of a batch.

    Raises:
        ModelError: if the file is not an ONNX model or lacks an input or output.
    """

    name = "onnxruntime"

    def __init__(self, manifest: Manifest, *, threads: int = 0, cameras: int = 0) -> None:
        self.manifest = manifest
        self.selection_reason = ""
        # Weights stored as FP16 are converted to FP32 once, when the model is loaded.
        self.precision = "int8" if manifest.quantised else "fp32"
        self.threads = threads or default_threads(cameras)
        self.parts = 1 if threads else max(1, usable_cores() // self.threads)
        self._pool = ThreadPoolExecutor(self.parts, f"{manifest.name}-part")
        self.session = open_session(manifest.path, OUTPUTS, threads=self.threads)
        self.device = device_of(self.session)
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
            self._pool.submit(self.run_into, crops[a:b], {k: v[a:b] for k, v in outputs.items()})
            for a, b in pairwise(ends[1:])
        ]
        self.run_into(crops[: ends[1]], {k: v[: ends[1]] for k, v in outputs.items()})
        for run in runs:
            run.result()
        return Prediction(**outputs)

    def run_into(
        self, crops: NDArray[np.float32], outputs: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Run contiguous crops and write the results into ``outputs``, arrays by output name.

        Raises EngineError when the run fails.
        """
        # Binding the arrays avoids a copy of the inputs and outputs.
        binding = self.session.io_binding()
        _bind(binding.bind_input, INPUT, crops)
        for name, values in outputs.items():
            _bind(binding.bind_output, name, values)
        try:
            self.session.run_with_iobinding(binding)
        except RuntimeError as error:  # the type that a run with bindings raises
            raise EngineError(f"ONNX Runtime cannot run {self.manifest.name}: {error}") from error

    def _output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return each output with its shape for one face, which the file need not declare."""
        face = np.zeros((1, 1, self.input_size, self.input_size), np.float32)
        try:
            values = self.session.run(OUTPUTS, {INPUT: face})
        except Exception as error:  # as in open_session
            raise ModelError(
                f"{self.manifest.path} does not run on a crop of {self.input_size} pixels: {error}"
            ) from error
        return [(name, v.shape[1:]) for name, v in zip(OUTPUTS, values, strict=True)]


def _bind(bind: Callable[..., None], name: str, values: NDArray[np.float32]) -> None:
    bind(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)


def open_session(
    path: Path, wanted: Sequence[str], *, threads: int, inputs: Sequence[str] = (INPUT,)
) -> ort.InferenceSession:
    """Open a model that has these inputs and at least the outputs ``wanted``.

    Args:
        path: the ONNX file.
        wanted: names of the outputs.
        threads: threads for one run; 0 selects :func:`default_threads`.
        inputs: names of the inputs.

    Raises:
        ModelError: if the file is not an ONNX model or has other inputs or outputs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    # Threads spin between the operators of one run but not after it: robots do other work too.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    options.log_severity_level = 3
    known = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in known if name in ort.get_available_providers()]
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions are not public, without a base
        raise ModelError(f"{path} is not a model that ONNX Runtime can load: {error}") from error
    found = {value.name for value in session.get_inputs()}
    outputs = {value.name for value in session.get_outputs()}
    if found != set(inputs) or not outputs.issuperset(wanted):
        raise ModelError(
            f"{path} is not a model of this package: expected the input {', '.join(inputs)} and "
            f"the outputs {', '.join(wanted)}; found {', '.join(sorted(found))} and "
            f"{', '.join(sorted(outputs))}"
        )
    return session


def device_of(session: ort.InferenceSession) -> str:
    """Return where a session runs, "cpu" or "cuda"."""
    return "cuda" if session.get_providers()[0].startswith("CUDA") else "cpu"
