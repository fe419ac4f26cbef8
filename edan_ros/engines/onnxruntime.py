"""Run a model on ONNX Runtime: any CPU, and CUDA where its provider is installed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edan_ros.engines.base import INPUT, OUTPUTS, Prediction
from edan_ros.engines.manifest import EngineError, Manifest, ModelError

#: More threads than this do not make one face faster.
MAX_THREADS = 4


def default_threads() -> int:
    """Threads for a model when the user sets none: the cores this process may use, at most 4."""
    return max(1, min(MAX_THREADS, len(os.sched_getaffinity(0))))


class OnnxRuntimeEngine:
    """A model on ONNX Runtime.

    Args:
        manifest: the model's manifest; its file has been checked.
        threads: threads of one run; 0 takes :func:`default_threads`.

    Raises:
        ModelError: if the file is no ONNX model or lacks an input or output of this package.
    """

    name = "onnxruntime"

    def __init__(self, manifest: Manifest, *, threads: int = 0) -> None:
        self.manifest = manifest
        self.precision = "fp32"  # weights stored as FP16 are widened once, at load
        self._session = open_session(manifest.path, OUTPUTS, threads=threads)
        provider = self._session.get_providers()[0]
        self.device = "cuda" if provider.startswith("CUDA") else "cpu"

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        size = self.input_size
        if crops.ndim != 4 or crops.shape[1:] != (1, size, size):
            raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
        if not len(crops):
            return Prediction.empty(len(self.manifest.labels))
        feed = {INPUT: np.ascontiguousarray(crops, np.float32)}
        try:
            values = self._session.run(OUTPUTS, feed)
        except RuntimeError as error:  # what ONNX Runtime's exceptions derive from
            raise EngineError(f"ONNX Runtime cannot run {self.manifest.name}: {error}") from error
        return Prediction(**dict(zip(OUTPUTS, values, strict=True)))


def open_session(path: Path, wanted: Sequence[str], *, threads: int) -> ort.InferenceSession:
    """A session of a model with the input INPUT and at least the outputs ``wanted``.

    Raises ModelError if the file is no ONNX model or has other inputs or outputs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    # A robot has other work to do: threads that wait for the next face must not spin.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
