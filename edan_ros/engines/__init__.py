"""Engines: each runs one ONNX model of this package behind the same interface."""

from __future__ import annotations

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

#: Names that create_engine takes. ``auto`` takes the fastest that works on this machine.
ENGINES = ("auto", "onnxruntime")

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


def create_engine(kind: str, model: str | Path, *, threads: int = 0) -> Engine:
    """An engine that has loaded a model and run it once.

    Args:
        kind: one of :data:`ENGINES`.
        model: a shipped model's name, or the path of an .onnx file with its manifest beside it.
        threads: CPU threads for one run, 0 for a default that suits the machine.

    Raises:
        ModelError: if the model is missing, damaged or wrong.
        EngineError: if there is no such engine.
    """
    if kind not in ENGINES:
        raise EngineError(f"there is no engine {kind!r}: choose one of {', '.join(ENGINES)}")
    manifest = load_manifest(model)
    require_complete(manifest)
    # Imported here: each engine needs a library that need not be installed for the others.
    from edan_ros.engines.onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(manifest, threads=threads)
    _warm_up(engine)
    return engine


def _warm_up(engine: Engine) -> None:
    """The first run allocates memory and takes several times as long as the later ones."""
    engine.infer(np.zeros((1, 1, engine.input_size, engine.input_size), np.float32))
