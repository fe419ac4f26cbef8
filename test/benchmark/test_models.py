"""A model's time over the floor's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edan_ros.benchmark import models
from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.models import measure_batch, measure_models
from edan_ros.engines import EngineError, Manifest

MACHINE = Machine("made up", 2, 1, 200.0, {"numpy": 200.0}, 20.0)


class Engine:
    """Says how many crops it was given. Manifest: 1 GFLOP a face, a million weights."""

    name, precision, input_size, selection_reason = "made up", "fp32", 16, "for a test"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.batches: list[tuple[int, ...]] = []
        self.manifest = Manifest(
            Path("m.onnx"), "m", "1", "0" * 64, 16, gflop=1.0, parameters=1_000_000
        )

    def infer(self, crops: np.ndarray) -> SimpleNamespace:
        self.batches.append(crops.shape)
        return SimpleNamespace()


def test_the_ratio_is_the_time_over_operations_by_the_matrix_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1 GFLOP at 200 GFLOP/s is 5 ms; four faces in 30 ms are 7.5 ms each: 1.5 times that."""

    def fastest(call, _seconds: float) -> float:
        call()
        return 0.030

    monkeypatch.setattr(models, "fastest", fastest)
    engine = Engine()
    row = measure_batch(engine, 4, MACHINE, 1.0)
    assert engine.batches == [(4, 1, 16, 16)]
    assert (row.batch, row.ms_per_face, row.floor_ratio) == (4, 7.5, 1.5)
    assert row.flop_per_byte == 1000.0  # 4 GFLOP over 4 MB of weights
    assert measure_batch(Engine("cuda"), 4, MACHINE, 1.0).floor_ratio is None


def test_engines_that_do_not_work_here_are_left_out_with_their_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def create(kind: str, _model: str, *, threads: int) -> Engine:
        assert threads == MACHINE.threads
        if kind == "absent":
            raise EngineError("there is no GPU")
        return Engine()

    monkeypatch.setattr(models, "create_engine", create)
    said: list[str] = []
    rows = measure_models(["m"], MACHINE, 0.001, said.append, ["absent", "made up"], [1, 2])
    assert [row.batch for row in rows] == [1, 2]
    assert said == ["absent: there is no GPU"]
