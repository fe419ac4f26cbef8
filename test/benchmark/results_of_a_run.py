"""Synthetic results of a benchmark with every section."""

from __future__ import annotations

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.models import ModelRow
from edan_ros.benchmark.results import PeerRow, Results, RosRow, SoakRow
from edan_ros.benchmark.stages import PipelineRow


def make_results() -> Results:
    """Return results of two engines, one of them on a GPU, and one row of each other kind."""
    return Results(
        machine=Machine("Processor X", 2, 1, 200.0, {"numpy": 200.0, "torch": 150.0}, 20.0),
        model=[
            ModelRow("edan-lite", "onnxruntime", 1, 5.5, 1.302, 0.845, 44.2, "cpu", "fp32"),
            ModelRow("edan-lite", "onnxruntime", 4, 5.0, 1.183, 0.845, 176.8, "cpu", "fp32"),
            ModelRow("edan-lite", "tensorrt", 1, 0.4, None, 0.845, 44.2, "cuda", "fp16"),
        ],
        pipeline=[PipelineRow("vga", 1, 140.0, {"decode": 0.01, "infer": 5.6}, 1.0)],
        ros=[
            RosRow(
                *("vga", 1, 4, 30.0, 119.9, 11.5, 16.25, 22.0, 0.3, 2, 57.0),
                {"decode": 0.02, "infer": 6.5, "publish": 0.4},
            )
        ],
        peers=[PeerRow("edan_ros edan-lite", 20, 0.95, 21, 12.5, 0.85)],
        soak=SoakRow(10.0, 300.5, 301.25, 220.5, 220.75),
        memory_mb=337.5,
        startup_s=0.75,
        versions={"python": "3.12.0"},
    )
