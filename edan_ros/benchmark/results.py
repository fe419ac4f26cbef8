"""The results of one benchmark as a JSON file. docs/reference/benchmark.md documents the keys."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edan_ros.benchmark.machine import Machine
from edan_ros.benchmark.models import ModelRow
from edan_ros.benchmark.stages import PipelineRow

#: Incremented when a key changes its meaning or is removed.
SCHEMA = 1


@dataclass(frozen=True)
class RosRow:
    """One run across processes: cameras -> emotion node -> listener.

    Attributes:
        resolution: resolution of the images.
        faces: number of faces in each image.
        cameras: number of cameras.
        offered_hz: images per second that each camera publishes.
        fps: results per second of all cameras together.
        p50_ms: median of the latency from an image's stamp to the arrival of its result.
        p90_ms: 90th percentile of the latency.
        p99_ms: 99th percentile of the latency.
        growth_ms: median latency of the last third of the run minus that of the first.
        drops: number of images without a result.
        cpu_percent: CPU usage of the emotion node; 100 is one core.
        ms: stage -> mean milliseconds per image in the node.
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
    """One long run at 30 images per second.

    Attributes:
        minutes: duration.
        start_mb: resident memory in MiB after the first minute.
        most_mb: maximum after that.
        start_own_mb: as start_mb, without memory that is shared between processes.
        most_own_mb: as most_mb, without memory that is shared between processes.
    """

    minutes: float
    start_mb: float
    most_mb: float
    start_own_mb: float
    most_own_mb: float


@dataclass(frozen=True)
class PeerRow:
    """One system on the images of a folder.

    Attributes:
        system: name of the system.
        images: number of images.
        with_face: share of the images in which it finds a face, 0 to 1.
        faces: number of faces found in all images.
        ms: mean milliseconds per image.
        accuracy: share of the images in which the largest face has the emotion of the folder; an
            image without a face is wrong.
    """

    system: str
    images: int
    with_face: float
    faces: int
    ms: float
    accuracy: float


@dataclass
class Results:
    """All results of one benchmark; sections that were not measured are empty or None.

    Attributes:
        machine: the machine.
        model: models on their own.
        pipeline: the pipeline in one process.
        ros: runs across processes.
        peers: this package beside alternatives.
        soak: the long run.
        memory_mb: resident memory in MiB of the emotion node at the end of its last run.
        startup_s: seconds from the start of its process until it is active.
        versions: package -> version.
        schema: version of this format.
    """

    machine: Machine
    model: list[ModelRow] = field(default_factory=list)
    pipeline: list[PipelineRow] = field(default_factory=list)
    ros: list[RosRow] = field(default_factory=list)
    peers: list[PeerRow] = field(default_factory=list)
    soak: SoakRow | None = None
    memory_mb: float | None = None
    startup_s: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def save(self, path: Path) -> None:
        """Write the JSON file. Raises OSError."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
