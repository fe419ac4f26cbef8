"""Statistics of a report: counts, shares, changes, latency, images without a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.report.records import LABELS, UNKNOWN_INDEX, PersonTrack, Stream

#: Intervals between two results above which images are missing between them.
_MISSING_FROM = 1.5
#: Largest difference in seconds between the stamps of a result and its image.
_SAME_STAMP = 1e-6


@dataclass(frozen=True)
class PersonFigures:
    """Statistics of one track.

    seconds: in view. shares: of each of LABELS in the images, sum 1. valence, arousal: means, NaN
    where they are never known.
    """

    number: int
    first: float
    last: float
    seconds: float
    images: int
    shares: tuple[float, ...]
    changes: int
    valence: float
    arousal: float

    @property
    def unknown(self) -> float:
        """Share of the images with an unknown emotion."""
        return self.shares[UNKNOWN_INDEX]

    @property
    def mostly(self) -> str:
        """The most frequent label."""
        return LABELS[int(np.argmax(self.shares))]


@dataclass(frozen=True)
class Gap:
    """Images without a result. at, seconds: end and length of the time without."""

    at: float
    seconds: float
    missing: int


@dataclass(frozen=True)
class StreamFigures:
    """Statistics of one camera.

    shares: of LABELS over all faces. latency_ms: percentile -> milliseconds. gaps: where results
    are missing. counted: whether the gaps were counted against the recorded images; else they are
    estimated from the stamps of the results.
    """

    images: int
    rate: float
    face_share: float
    most_faces: int
    faces: int
    shares: tuple[float, ...]
    latency_ms: dict[int, float]
    gaps: tuple[Gap, ...]
    counted: bool

    @property
    def missing(self) -> int:
        """Number of images without a result."""
        return sum(gap.missing for gap in self.gaps)


def person_figures(track: PersonTrack, interval: float) -> PersonFigures:
    """Return the statistics of one person. interval: seconds from one image to the next."""
    changes = int(np.count_nonzero(np.diff(track.labels)))
    return PersonFigures(
        track.number,
        float(track.times[0]),
        float(track.times[-1]),
        track.seconds(interval),
        len(track.times),
        _shares(track.labels),
        changes,
        _mean(track.valence),
        _mean(track.arousal),
    )


def together(figures: Sequence[PersonFigures]) -> PersonFigures:
    """Return the statistics of at least one track taken together, with number 0."""
    images = np.array([f.images for f in figures])
    shares = images @ np.array([f.shares for f in figures]) / images.sum()
    affect = np.array([(f.valence, f.arousal) for f in figures])
    known = np.isfinite(affect[:, 0])
    weights = images[known]
    valence, arousal = weights @ affect[known] / weights.sum() if known.any() else (math.nan,) * 2
    return PersonFigures(
        0,
        min(f.first for f in figures),
        max(f.last for f in figures),
        sum(f.seconds for f in figures),
        int(images.sum()),
        tuple(shares.tolist()),
        sum(f.changes for f in figures),
        float(valence),
        float(arousal),
    )


def stream_figures(stream: Stream) -> StreamFigures:
    """Return the statistics of one camera."""
    count, interval = len(stream.times), stream.interval
    known = stream.latency_ms[np.isfinite(stream.latency_ms)]
    latency = {p: float(np.percentile(known, p)) for p in (50, 95, 99, 100)} if len(known) else {}
    labels = [track.labels for track in stream.tracks]
    gaps = _gaps_by_stamps(stream) if stream.image_times is None else _gaps_by_images(stream)
    return StreamFigures(
        count,
        1.0 / interval if interval > 0.0 else 0.0,
        float(np.mean(stream.faces > 0)) if count else 0.0,
        int(stream.faces.max(initial=0)),
        int(stream.faces.sum()),
        _shares(np.concatenate(labels) if labels else np.zeros(0, np.uint8)),
        latency,
        tuple(gaps),
        stream.image_times is not None,
    )


def _shares(labels: NDArray[np.uint8]) -> tuple[float, ...]:
    counts = np.bincount(labels, minlength=len(LABELS))
    return tuple((counts / max(len(labels), 1)).tolist())


def _mean(values: NDArray[np.float32]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _gaps_by_stamps(stream: Stream) -> list[Gap]:
    """Return where the stamps step by more than one image, within a segment."""
    if stream.interval <= 0.0:
        return []
    steps = np.diff(stream.times)
    segments = np.searchsorted(stream.segments, stream.times, side="right")
    is_gap = (steps > _MISSING_FROM * stream.interval) & (np.diff(segments) == 0)
    places = np.flatnonzero(is_gap)
    return [
        Gap(float(stream.times[i + 1]), float(steps[i]), round(steps[i] / stream.interval) - 1)
        for i in places.tolist()
    ]


def _gaps_by_images(stream: Stream) -> list[Gap]:
    """Return the recorded images without a result, neighbours together."""
    assert stream.image_times is not None
    images, times = stream.image_times, stream.times
    after = np.searchsorted(times, images - _SAME_STAMP)
    nearest = times[np.minimum(after, len(times) - 1)]
    lost = np.flatnonzero(np.abs(nearest - images) > _SAME_STAMP)
    groups = np.split(lost, 1 + np.flatnonzero(np.diff(lost) > 1)) if len(lost) else []
    gaps = []
    for group in groups:
        before, end = max(int(group[0]) - 1, 0), min(int(group[-1]) + 1, len(images) - 1)
        gaps.append(Gap(float(images[end]), float(images[end] - images[before]), len(group)))
    return gaps
