"""What a report is made of: the results of a recording, as arrays by camera and person."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_LABEL

#: The labels by their index in a track; the last is the unknown.
LABELS: tuple[str, ...] = (*EMOTIONS, UNKNOWN_LABEL)
UNKNOWN_INDEX = len(EMOTIONS)
#: The levels of /diagnostics, by their number.
LEVELS = ("ok", "warning", "error", "stale")
#: A person not seen for so many images, and for so many seconds, was away.
_AWAY_IMAGES, _AWAY_SECONDS = 3.0, 0.3


@dataclass(frozen=True, slots=True)
class Sample:
    """One face in one image.

    label: index into LABELS. box: x, y, width, height in pixels. landmarks: (68, 2) pixels.
    """

    track_id: int
    label: int
    probabilities: Sequence[float]
    valence: float
    arousal: float
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Track:
    """One person, for as long as the face was followed. All arrays have n rows, by time.

    times: seconds since the begin of the recording. labels: (n,) indices into LABELS.
    probabilities: (n, 7). valence, arousal: (n,) -1 to 1, NaN where unknown. boxes: (n, 4) x, y,
    width, height, and landmarks: (n, 68, 2), pixels.
    """

    number: int
    times: NDArray[np.float64]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    valence: NDArray[np.float32]
    arousal: NDArray[np.float32]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def runs(self, interval: float) -> Iterator[slice]:
        """The stretches of one label during which the person was in view without a break.

        interval: seconds from one image to the next.
        """
        away = np.diff(self.times) > away_after(interval)
        cuts = 1 + np.flatnonzero(away | (np.diff(self.labels) != 0))
        edges = [0, *cuts.tolist(), len(self.times)]
        return (slice(a, b) for a, b in itertools.pairwise(edges))


@dataclass(slots=True, eq=False)
class Stream:
    """The results of one camera, m of them, by time.

    name: topic of the results, "" where there is only one camera. times: (m,) seconds since the
    begin of the recording. faces: (m,) how many each image shows. latency_ms: (m,) NaN where it is
    not known; latency_of: from what to what it was measured. image_times: of the images recorded
    on image_topic beside the results, None where there are none.
    """

    name: str
    times: NDArray[np.float64]
    faces: NDArray[np.int64]
    latency_ms: NDArray[np.float64]
    tracks: list[Track]
    latency_of: str = ""
    image_times: NDArray[np.float64] | None = None
    image_topic: str = ""

    @property
    def interval(self) -> float:
        """Seconds from one result to the next, the median; 0.0 for fewer than two."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0


@dataclass(slots=True, frozen=True)
class Status:
    """One entry of /diagnostics, the last that was recorded. level: one of LEVELS."""

    name: str
    level: str
    message: str
    values: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Recording:
    """All that a report tells.

    begin_ns: stamp of the first result. model, settings: names and values, as recorded.
    notes: what was wrong with the recording, a sentence each.
    """

    name: str
    begin_ns: int
    streams: list[Stream]
    model: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Status] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first result to the last."""
        return max((float(s.times[-1]) for s in self.streams if len(s.times)), default=0.0)


class StreamBuilder:
    """Collects the results of one camera in whatever order they come.

    name: see Stream. A result whose stamp was there before is left out and counted in
    `repeated`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.repeated = 0
        self._results: dict[int, tuple[float, list[Sample]]] = {}

    def __len__(self) -> int:
        return len(self._results)

    def add(self, stamp_ns: int, samples: list[Sample], latency_ms: float | None) -> None:
        """One more result. stamp_ns: of its image."""
        if stamp_ns in self._results:
            self.repeated += 1
            return
        self._results[stamp_ns] = (np.nan if latency_ms is None else latency_ms, samples)

    @property
    def begin_ns(self) -> int:
        """The earliest stamp. Raises ValueError where there is none."""
        return min(self._results)

    def build(self, begin_ns: int, image_stamps_ns: Sequence[int] = ()) -> Stream:
        """The stream, its times counted from `begin_ns`."""
        stamps = sorted(self._results)
        seconds = [(stamp - begin_ns) * 1e-9 for stamp in stamps]
        results = [self._results[stamp] for stamp in stamps]
        people: dict[int, list[tuple[float, Sample]]] = defaultdict(list)
        for time, (_, samples) in zip(seconds, results, strict=True):
            for sample in samples:
                people[sample.track_id].append((time, sample))
        images = np.sort((np.array(image_stamps_ns, np.int64) - begin_ns) * 1e-9)
        return Stream(
            self.name,
            np.array(seconds, np.float64),
            np.array([len(samples) for _, samples in results], np.int64),
            np.array([latency for latency, _ in results], np.float64),
            [_track(number, rows) for number, rows in sorted(people.items())],
            image_times=images if len(images) else None,
        )


def away_after(interval: float) -> float:
    """Seconds without a face after which a person was away. interval: from image to image."""
    return max(_AWAY_IMAGES * interval, _AWAY_SECONDS)


def _track(number: int, rows: Sequence[tuple[float, Sample]]) -> Track:
    samples = [sample for _, sample in rows]
    return Track(
        number,
        np.array([time for time, _ in rows], np.float64),
        np.array([s.label for s in samples], np.uint8),
        np.array([s.probabilities for s in samples], np.float32),
        np.array([s.valence for s in samples], np.float32),
        np.array([s.arousal for s in samples], np.float32),
        np.array([s.box for s in samples], np.float32),
        np.array([s.landmarks for s in samples], np.float32),
    )
