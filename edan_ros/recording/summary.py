"""The figures of a run: images, faces, tracks, speed, latency, labels."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from edan_ros.core.faces import FrameResult


@dataclass
class Summary:
    """Counts results one by one. Stamps and latencies in seconds."""

    results: int = 0
    with_face: int = 0
    most_faces: int = 0
    first_stamp: float = 0.0
    last_stamp: float = 0.0
    tracks: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    first_added: float = 0.0
    last_added: float = 0.0

    def add(self, stamp: float, latency: float | None, result: FrameResult) -> None:
        """One more result. stamp: of its image. latency: None where it is not known."""
        now = time.monotonic()
        if not self.results:
            self.first_stamp, self.first_added = stamp, now
        self.last_stamp, self.last_added = stamp, now
        self.results += 1
        self.with_face += bool(result.faces)
        self.most_faces = max(self.most_faces, len(result.faces))
        self.tracks.update(face.track_id for face in result.faces)
        self.labels.update(face.label for face in result.faces)
        if latency is not None:
            self.latencies.append(latency)

    @property
    def recorded_seconds(self) -> float:
        """From the first image's stamp to the last one's."""
        return self.last_stamp - self.first_stamp

    @property
    def played_seconds(self) -> float:
        """From the first result's arrival to the last one's."""
        return self.last_added - self.first_added

    @property
    def rate(self) -> float:
        """Results a second of this machine's time."""
        return (self.results - 1) / self.played_seconds if self.played_seconds else 0.0

    @property
    def face_share(self) -> float:
        """Share of the images that show a face, 0 to 1."""
        return self.with_face / self.results if self.results else 0.0

    def latency(self, percentile: float) -> float | None:
        """Seconds, or None without any measurement."""
        return float(np.percentile(self.latencies, percentile)) if self.latencies else None

    def label_shares(self) -> list[tuple[str, float]]:
        """Each label with its share of all faces seen, the most frequent first."""
        total = sum(self.labels.values())
        return [(label, count / total) for label, count in self.labels.most_common()]
