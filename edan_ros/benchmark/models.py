"""The speed of each engine with each model, relative to the machine's peak performance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.measurement import fastest
from edan_ros.engines import ENGINES, Engine, EngineError, create_engine

BATCHES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class ModelRow:
    """One model on one engine with one batch size.

    Attributes:
        model: name of the model.
        engine: name of the engine.
        batch: number of faces in one run.
        ms_per_face: milliseconds of a run, divided by the number of faces.
        floor_ratio: that time divided by gflop / Machine.gemm_gflops_fp32, the lower bound for
            FP32; None where the engine does not run on the processor.
        gflop: operations per face, 1e9.
        flop_per_byte: operations of a run per byte of its weights, which are read once per run.
        device: where the engine runs the model.
        precision: arithmetic of the engine.
    """

    model: str
    engine: str
    batch: int
    ms_per_face: float
    floor_ratio: float | None
    gflop: float
    flop_per_byte: float
    device: str
    precision: str


def measure_models(
    models: Sequence[str | Path],
    machine: Machine,
    seconds: float,
    log: Callable[[str], None],
    engines: Sequence[str] = ENGINES[1:],
    batches: Sequence[int] = BATCHES,
    create: Callable[..., Engine] = create_engine,
) -> list[ModelRow]:
    """Measure every engine that works here with every model.

    Args:
        models: names or paths.
        machine: the measured machine, whose number of threads is used.
        seconds: duration of each measurement.
        log: called with the reason why an engine cannot be measured, once for each reason.
        engines: engines to measure.
        batches: batch sizes.
        create: creates an engine, called like :func:`create_engine`.
    """
    rows = []
    missing: set[str] = set()
    for model in models:
        for kind in engines:
            try:
                engine = create(kind, model, threads=machine.threads)
            except (EngineError, ImportError) as error:
                if (reason := f"{kind}: {error}") not in missing:
                    missing.add(reason)
                    log(reason)
                continue
            rows += [measure_batch(engine, batch, machine, seconds) for batch in batches]
    return rows


def measure_batch(
    engine: Engine,
    batch: int,
    machine: Machine,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> ModelRow:
    """Measure one batch size for ``seconds``."""
    size = engine.input_size
    crops = np.random.default_rng(0).uniform(0, 255, (batch, 1, size, size)).astype(np.float32)
    per_face = fastest(lambda: engine.infer(crops), seconds, clock) / batch
    manifest = engine.manifest
    floor = manifest.gflop / machine.gemm_gflops_fp32
    return ModelRow(
        model=manifest.name,
        engine=engine.name,
        batch=batch,
        ms_per_face=round(1e3 * per_face, 3),
        floor_ratio=round(per_face / floor, 3) if engine.device == "cpu" else None,
        gflop=manifest.gflop,
        flop_per_byte=round(1e9 * manifest.gflop * batch / (4.0 * manifest.parameters), 1),
        device=engine.device,
        precision=engine.precision,
    )
