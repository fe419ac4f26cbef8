"""Run ONNX models of this package: ONNX Runtime, TensorRT or torch behind one interface."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edan_ros.engines.base import Engine, Prediction, Progress
from edan_ros.engines.manifest import (
    EngineError,
    Manifest,
    ModelError,
    load_manifest,
    require_complete,
)
from edan_ros.engines.select import (
    ENGINES,
    GPU_ENGINES,
    Selection,
    require_torch,
    select_engine,
    select_model,
)

__all__ = [
    "ENGINES",
    "GPU_ENGINES",
    "Engine",
    "EngineError",
    "Manifest",
    "ModelError",
    "Prediction",
    "Progress",
    "Selection",
    "create_engine",
    "load_manifest",
    "select_model",
]

_log = logging.getLogger(__name__)


def create_engine(
    kind: str,
    model: str | Path,
    *,
    threads: int = 0,
    cameras: int = 0,
    log: Callable[[str], None] = _log.warning,
    progress: Progress | None = None,
) -> Engine:
    """Create an engine, load a model and run it once.

    Args:
        kind: one of :data:`ENGINES`.
        model: name of a shipped model, or path of an .onnx file with its manifest beside it.
        threads: CPU threads for one run; 0 selects a default that suits the machine.
        cameras: number of cameras that occupy cores of the machine, for that default.
        log: called with one line before and after an operation that takes minutes, and when
            ``auto`` cannot use a GPU that is present.
        progress: called while a plan for TensorRT is built, see :data:`Progress`.

    Raises:
        ModelError: if the model is missing, damaged or of the wrong kind.
        EngineError: if the engine is unknown, or the requested one cannot run here.
    """
    manifest = load_manifest(model)
    require_complete(manifest)

    def create(name: str) -> Engine:
        # Imported on demand: each engine needs a library that the others do not.
        engine: Engine
        if name in GPU_ENGINES:
            from edan_ros.engines.tensorrt import TensorRTEngine

            engine = TensorRTEngine(manifest, name, log=log, progress=progress)
        elif name == "torch":
            with require_torch():
                from edan_ros.engines.torch import TorchEngine

            engine = TorchEngine(manifest, threads=threads)
        else:
            from edan_ros.engines.onnxruntime import OnnxRuntimeEngine

            engine = OnnxRuntimeEngine(manifest, threads=threads, cameras=cameras)
        # The first run allocates memory and takes several times as long as the later ones.
        engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
        return engine

    return select_engine(kind, manifest.name, create, log)
