"""The benchmark of models, with a fake engine and a fake clock."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.models import measure_batch, measure_models
from edan_ros.engines import EngineError, Manifest

MACHINE = Machine("synthetic", 2, 1, 200.0, {"numpy": 200.0}, 20.0)


class FakeEngine:
    """Records the shapes of its batches; each run takes 30 ms. The model has 1 GFLOP per face."""

    name, precision, input_size, selection_reason = "fake", "fp32", 16, "for a test"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.now = 0.0
        self.batches: set[tuple[int, ...]] = set()
        self.manifest = Manifest(
            Path("m.onnx"), "m", "1", "0" * 64, 16, gflop=1.0, parameters=1_000_000
        )

    def clock(self) -> float:
        return self.now

    def infer(self, crops: np.ndarray) -> SimpleNamespace:
        self.batches.add(crops.shape)
        self.now += 0.030
        return SimpleNamespace()


def test_the_ratio_relates_the_time_to_operations_over_matrix_rate() -> None:
    """1 GFLOP at 200 GFLOP/s takes 5 ms. Four faces in 30 ms take 7.5 ms each, 1.5 times that."""
    engine = FakeEngine()
    row = measure_batch(engine, 4, MACHINE, 0.1, engine.clock)
    assert engine.batches == {(4, 1, 16, 16)}
    assert (row.batch, row.ms_per_face) == (4, pytest.approx(7.5))
    assert row.floor_ratio == pytest.approx(1.5)
    assert row.flop_per_byte == 1000.0  # 4 GFLOP over 4 MB of weights


def test_the_ratio_is_omitted_on_other_devices() -> None:
    engine = FakeEngine("cuda")
    assert measure_batch(engine, 4, MACHINE, 0.1, engine.clock).floor_ratio is None


def test_engines_that_cannot_run_are_omitted_with_a_reason() -> None:
    def create(kind: str, _model: str, *, threads: int) -> FakeEngine:
        assert threads == MACHINE.threads
        if kind == "absent":
            raise EngineError("there is no GPU")
        return FakeEngine()

    lines: list[str] = []
    rows = measure_models(
        ["m", "m"], MACHINE, 0.001, lines.append, ["absent", "fake"], [1, 2], create
    )
    assert [row.batch for row in rows] == [1, 2, 1, 2]
    assert lines == ["absent: there is no GPU"]
