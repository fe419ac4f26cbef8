"""Engines: each runs one ONNX model of this package behind the same interface."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edan_ros.engines.base import Engine, Prediction
from edan_ros.engines.manifest import (
    EngineError,
    Manifest,
    ModelError,
    load_manifest,
    require_complete,
)
from edan_ros.engines.tensorrt_progress import Progress

#: Names that create_engine takes. ``auto`` takes TensorRT where it works, else ONNX Runtime.
ENGINES = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "torch")
#: In the order in which ``auto`` tries them on a machine with a GPU.
ON_GPU = ("tensorrt", "tensorrt_rtx")

__all__ = [
    "ENGINES",
    "Engine",
    "EngineError",
    "Manifest",
    "ModelError",
    "Prediction",
    "create_engine",
    "load_manifest",
]

_log = logging.getLogger(__name__)


def create_engine(
    kind: str,
    model: str | Path,
    *,
    threads: int = 0,
    cameras: int = 0,
    tell: Callable[[str], None] = _log.warning,
    progress: Progress | None = None,
) -> Engine:
    """An engine that has loaded a model and run it once.

    Args:
        kind: one of :data:`ENGINES`.
        model: a shipped model's name, or the path of an .onnx file with its manifest beside it.
        threads: CPU threads for one run, 0 for a default that suits the machine.
        cameras: that keep cores of the machine busy, for that default.
        tell: told a line before and after what takes minutes, and when ``auto`` had to do
            without a GPU that is there.
        progress: told how far a build for TensorRT is, see :data:`Progress`.

    Raises:
        ModelError: if the model is missing, damaged or wrong.
        EngineError: if there is no such engine, or the one asked for cannot run here.
    """
    if kind not in ENGINES:
        raise EngineError(f"there is no engine {kind!r}: choose one of {', '.join(ENGINES)}")
    manifest = load_manifest(model)
    require_complete(manifest)
    on_cpu = {"threads": threads, "cameras": cameras}
    if kind == "auto":
        return _automatic(manifest, on_cpu, tell, progress)
    engine = _make(kind, manifest, on_cpu, tell, progress)
    engine.why = "asked for"
    return engine


def _automatic(
    manifest: Manifest,
    on_cpu: dict[str, int],
    tell: Callable[[str], None],
    progress: Progress | None,
) -> Engine:
    from edan_ros.engines.cuda_driver import find_gpu

    reasons = []
    try:
        find_gpu()
    except EngineError as error:
        reasons.append(str(error))
    else:
        for kind in ON_GPU:
            try:
                engine = _make(kind, manifest, on_cpu, tell, progress)
            except EngineError as error:
                if str(error) not in reasons:
                    reasons.append(str(error))
            else:
                engine.why = "the fastest that works here"
                return engine
        tell(f"{manifest.name} runs on ONNX Runtime, not on TensorRT: {'; '.join(reasons)}")
    engine = _make("onnxruntime", manifest, on_cpu, tell, progress)
    engine.why = f"no TensorRT: {'; '.join(reasons)}"
    return engine


def _make(
    kind: str,
    manifest: Manifest,
    on_cpu: dict[str, int],
    tell: Callable[[str], None],
    progress: Progress | None,
) -> Engine:
    """An engine by its own name. Imported here: each needs a library that others do not."""
    engine: Engine
    if kind in ON_GPU:
        from edan_ros.engines.tensorrt import TensorRTEngine

        engine = TensorRTEngine(manifest, kind, tell=tell, progress=progress)
    elif kind == "torch":
        engine = _torch_engine(manifest, on_cpu["threads"])
    else:
        from edan_ros.engines.onnxruntime import OnnxRuntimeEngine

        engine = OnnxRuntimeEngine(manifest, **on_cpu)
    # The first run allocates memory and takes several times as long as the later ones.
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
    return engine


def _torch_engine(manifest: Manifest, threads: int) -> Engine:
    try:
        from edan_ros.engines.torch import TorchEngine
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the engine torch needs the Python library {error.name}: pip install 'edan_ros[train]'"
        ) from error
    return TorchEngine(manifest, threads=threads)
