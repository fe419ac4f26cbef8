"""The figures of a run: images, faces, tracks, speed, latency, labels; and in words."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from edan_ros.core.faces import FrameResult

#: Played at less than this share of real time, a recording counts as slowed down.
_REAL_TIME = 0.9
#: More tracks than this are not listed one by one.
_TRACKS_SHOWN = 4


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


def summary_lines(summary: Summary, unprocessed: int, *, live: bool) -> list[str]:
    """The figures of a run, a line each. unprocessed: images that got no result."""
    rows = [("images", f"{summary.results} in {summary.recorded_seconds:.1f} s of the source")]
    if unprocessed:
        rows.append(("", f"{unprocessed} more were not processed: this machine is too slow"))
    share = f"{100 * summary.face_share:.1f} %, at most {summary.most_faces} at once"
    labels = ", ".join(f"{name} {100 * part:.0f} %" for name, part in summary.label_shares())
    rows += [
        ("with a face", share),
        ("tracks", _tracks(summary)),
        ("labels", labels or "none"),
        ("speed", _speed(summary, live)),
    ]
    p50, p99 = summary.latency(50), summary.latency(99)
    if p50 is not None and p99 is not None:
        told = f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms"
        rows.append(("latency", f"{told} (image published to faces received)"))
    return [f"{name:13}{text}" for name, text in rows]


def _tracks(summary: Summary) -> str:
    count = len(summary.tracks)
    if count > _TRACKS_SHOWN:
        return f"{count}, the longest with {max(summary.tracks.values())} images"
    shown = [f"person {track}: {images} images" for track, images in sorted(summary.tracks.items())]
    return f"{count}" + (f" ({', '.join(shown)})" if shown else "")


def _speed(summary: Summary, live: bool) -> str:
    text = f"{summary.rate:.1f} images/s"
    share = summary.recorded_seconds / summary.played_seconds if summary.played_seconds else 1.0
    if not live and share < _REAL_TIME:
        text += f"; slower than recorded ({share:.2f} of real time), so that no image is lost"
    return text
