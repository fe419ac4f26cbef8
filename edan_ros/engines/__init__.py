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
from edan_ros.engines.select import ENGINES, GPU_ENGINES, require_torch, select_engine
from edan_ros.engines.tensorrt_progress import Progress

__all__ = [
    "ENGINES",
    "GPU_ENGINES",
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
    log: Callable[[str], None] = _log.warning,
    progress: Progress | None = None,
) -> Engine:
    """An engine that has loaded a model and run it once.

    Args:
        kind: one of :data:`ENGINES`.
        model: a shipped model's name, or the path of an .onnx file with its manifest beside it.
        threads: CPU threads for one run, 0 for a default that suits the machine.
        cameras: that keep cores of the machine busy, for that default.
        log: called with a line before and after what takes minutes, and when ``auto`` had to do
            without a GPU that is there.
        progress: told how far a build for TensorRT is, see :data:`Progress`.

    Raises:
        ModelError: if the model is missing, damaged or wrong.
        EngineError: if there is no such engine, or the one asked for cannot run here.
    """
    manifest = load_manifest(model)
    require_complete(manifest)
    on_cpu = {"threads": threads, "cameras": cameras}
    return select_engine(
        kind, manifest.name, lambda name: _make(name, manifest, on_cpu, log, progress), log
    )


def _make(
    kind: str,
    manifest: Manifest,
    on_cpu: dict[str, int],
    log: Callable[[str], None],
    progress: Progress | None,
) -> Engine:
    """An engine by its own name. Imported here: each needs a library that others do not."""
    engine: Engine
    if kind in GPU_ENGINES:
        from edan_ros.engines.tensorrt import TensorRTEngine

        engine = TensorRTEngine(manifest, kind, log=log, progress=progress)
    elif kind == "torch":
        engine = _torch_engine(manifest, on_cpu["threads"])
    else:
        from edan_ros.engines.onnxruntime import OnnxRuntimeEngine

        engine = OnnxRuntimeEngine(manifest, **on_cpu)
    # The first run allocates memory and takes several times as long as the later ones.
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
    return engine


def _torch_engine(manifest: Manifest, threads: int) -> Engine:
    with require_torch():
        from edan_ros.engines.torch import TorchEngine
    return TorchEngine(manifest, threads=threads)
