"""The figures of one run as one JSON file. docs/performance.md says what each key means."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.models import ModelRow
from edan_ros.benchmark.stages import PipelineRow

#: Counted up when a key changes its meaning or goes away.
SCHEMA = 1


@dataclass(frozen=True)
class RosRow:
    """One run between processes: cameras -> emotion node -> listener.

    resolution, faces: of every image. cameras: how many. offered_hz: images that each camera
    publishes a second. fps: results a second of all cameras together. p50_ms, p90_ms, p99_ms:
    from the stamp of an image to its result at the listener. growth_ms: median of the last third
    of the run less that of the first. drops: images without a result. cpu_percent: of the
    emotion node, 100 is one core. ms: stage -> mean milliseconds an image in the node.
    """

    resolution: str
    faces: int
    cameras: int
    offered_hz: float
    fps: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    growth_ms: float
    drops: int
    cpu_percent: float
    ms: dict[str, float]


@dataclass(frozen=True)
class SoakRow:
    """One long run at 30 images a second.

    minutes: its length. start_mb: memory after the first minute. most_mb: most after that.
    start_own_mb, most_own_mb: the same without what the middleware shares between processes.
    """

    minutes: float
    start_mb: float
    most_mb: float
    start_own_mb: float
    most_own_mb: float


@dataclass
class Results:
    """All figures of one run; sections that were left out are empty or null.

    memory_mb: resident memory of the emotion node at the end of its last run. startup_s: from
    the start of its process until it is active.
    """

    machine: Machine
    model: list[ModelRow] = field(default_factory=list)
    pipeline: list[PipelineRow] = field(default_factory=list)
    ros: list[RosRow] = field(default_factory=list)
    soak: SoakRow | None = None
    memory_mb: float | None = None
    startup_s: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def save(self, path: Path) -> None:
        """Write the JSON file. Raises OSError."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
