"""Statistics of a run: images, faces, tracks, speed, latency and labels, and their summary."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from edan_ros.core.emotions import UNKNOWN_LABEL
from edan_ros.core.faces import FrameResult
from edan_ros.core.stamps import SegmentClock, describe_jump
from edan_ros.core.wording import plural
from edan_ros.drawing.faces import unknown_text

#: Share of real time below which a played recording counts as slowed down.
_REAL_TIME = 0.9
#: Largest number of tracks that are listed one by one.
_MAX_TRACKS_LISTED = 4
#: Largest number of faces of an image that are described one by one.
_MAX_FACES_LISTED = 3
#: Largest number of jumps of the stamps that are listed.
_MAX_JUMPS_LISTED = 3


@dataclass
class Summary:
    """Counts results one by one.

    Attributes:
        omitted: most faces of an image that ``max_faces`` left out, and how many were kept there.
        cuts: hard cuts.
        latencies: seconds.
        first_added, last_added: when results came, on the monotonic clock.
    """

    results: int = 0
    with_face: int = 0
    most_faces: int = 0
    tracks: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    omitted: tuple[int, int] = (0, 0)
    cuts: int = 0
    latencies: list[float] = field(default_factory=list)
    first_added: float = 0.0
    last_added: float = 0.0
    _clock: SegmentClock = field(default_factory=SegmentClock)

    def add(self, stamp: float, latency: float | None, result: FrameResult) -> None:
        """Add a result. stamp: of its image, seconds. latency: None where it is not known."""
        now = time.monotonic()
        if not self.results:
            self.first_added = now
        self.last_added = now
        self._clock.place(stamp)
        self.results += 1
        self.with_face += bool(result.faces)
        self.most_faces = max(self.most_faces, len(result.faces))
        self.tracks.update(face.track_id for face in result.faces)
        self.labels.update(face.label for face in result.faces)
        self.omitted = max(self.omitted, (result.omitted, len(result.faces)))
        self.cuts += result.cut
        if latency is not None:
            self.latencies.append(latency)

    @property
    def recorded_seconds(self) -> float:
        """Seconds from the first image to the last, less the jumps of the stamps."""
        return self._clock.seconds

    @property
    def jumps(self) -> list[float]:
        """Steps of the stamps in seconds at which a new segment began (``core.stamps``)."""
        return self._clock.jumps

    @property
    def played_seconds(self) -> float:
        """Seconds from the arrival of the first result to that of the last."""
        return self.last_added - self.first_added

    @property
    def rate(self) -> float:
        """Results per second of this machine's time."""
        return (self.results - 1) / self.played_seconds if self.played_seconds else 0.0

    @property
    def face_share(self) -> float:
        """Share of the images with a face, 0 to 1."""
        return self.with_face / self.results if self.results else 0.0

    def latency(self, percentile: float) -> float | None:
        """Return a percentile of the latencies in seconds, None without any."""
        return float(np.percentile(self.latencies, percentile)) if self.latencies else None

    def label_shares(self) -> list[tuple[str, float]]:
        """Return each label with its share of all faces, the most frequent first."""
        total = sum(self.labels.values())
        return [(label, count / total) for label, count in self.labels.most_common()]

    def line(self) -> str:
        """Return images, tracks and labels in one line, with cuts and what was left out."""
        parts = [plural(self.results, "image")]
        parts += [plural(self.cuts, "cut")] if self.cuts else []
        parts.append(plural(len(self.tracks), "track") if self.tracks else "no face")
        parts += [f"{name} {100 * part:.0f} %" for name, part in self.label_shares()]
        left_out, kept = self.omitted
        parts += [f"only {_kept(kept, left_out)} in the fullest image"] if left_out else []
        return ", ".join(parts)


def describe_image(result: FrameResult) -> str:
    """Return the faces of one image in one line: "2 faces, anger 73 %, unknown (unsure)"."""
    faces = result.faces
    parts = [plural(len(faces), "face") if faces else "no face"]
    if result.omitted:
        parts = [f"{_kept(len(faces), result.omitted)} (max_faces)"]
    if len(faces) <= _MAX_FACES_LISTED:
        parts += [
            unknown_text(face)
            if face.label == UNKNOWN_LABEL
            else f"{face.label} {100 * face.confidence:.0f} %"
            for face in faces
        ]
    else:
        labels = Counter(face.label for face in faces)
        parts += [f"{count} {label}" for label, count in labels.most_common()]
    return ", ".join(parts)


def _kept(kept: int, left_out: int) -> str:
    return f"{kept} of {kept + left_out} faces kept"


def summary_lines(summary: Summary, unprocessed: int, *, live: bool) -> list[str]:
    """Return the statistics of a run, a line each. unprocessed: images without a result."""
    rows = [("images", f"{summary.results} in {summary.recorded_seconds:.1f} s of the source")]
    if unprocessed:
        rows.append(("", f"{unprocessed} more were not processed: this machine is too slow"))
    rows += [("", describe_jump(jump)) for jump in summary.jumps[:_MAX_JUMPS_LISTED]]
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
        latency = f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms"
        rows.append(("latency", f"{latency} (image published to faces received)"))
    return [f"{name:13}{text}" for name, text in rows]


def _tracks(summary: Summary) -> str:
    count = len(summary.tracks)
    if count > _MAX_TRACKS_LISTED:
        return f"{count}, the longest with {plural(max(summary.tracks.values()), 'image')}"
    tracks = sorted(summary.tracks.items())
    shown = [f"person {track}: {plural(images, 'image')}" for track, images in tracks]
    return f"{count}" + (f" ({', '.join(shown)})" if shown else "")


def _speed(summary: Summary, live: bool) -> str:
    text = f"{summary.rate:.1f} images/s"
    share = summary.recorded_seconds / summary.played_seconds if summary.played_seconds else 1.0
    if not live and share < _REAL_TIME:
        text += f"; slower than recorded ({share:.2f} of real time), so that no image is lost"
    return text
