"""How fast each engine runs each model, against the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.timing import fastest
from edan_ros.engines import ENGINES, Engine, EngineError, create_engine

BATCHES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class ModelRow:
    """One model on one engine with one number of faces a run.

    ms_per_face: milliseconds of a run over its faces. floor_ratio: that time over gflop /
    Machine.gemm_gflops_fp32, which no FP32 program undercuts; null where the engine does not run
    on the processor. gflop: operations a face, 1e9. flop_per_byte: operations of a run over the
    bytes of its weights, which each run reads once. device: cpu, or what the engine calls it.
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
    say: Callable[[str], None],
    engines: Sequence[str] = ENGINES[1:],
    batches: Sequence[int] = BATCHES,
) -> list[ModelRow]:
    """Every engine that works here, on every model; ``say`` is told why the others do not."""
    rows = []
    missing: set[str] = set()
    for model in models:
        for kind in engines:
            try:
                engine = create_engine(kind, model, threads=machine.threads)
            except (EngineError, ImportError) as error:
                if (reason := f"{kind}: {error}") not in missing:
                    missing.add(reason)
                    say(reason)
                continue
            rows += [measure_batch(engine, batch, machine, seconds) for batch in batches]
    return rows


def measure_batch(engine: Engine, batch: int, machine: Machine, seconds: float) -> ModelRow:
    """One number of faces a run."""
    size = engine.input_size
    crops = np.random.default_rng(0).uniform(0, 255, (batch, 1, size, size)).astype(np.float32)
    per_face = fastest(lambda: engine.infer(crops), seconds) / batch
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
