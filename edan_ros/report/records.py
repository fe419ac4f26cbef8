"""The results of a recording as arrays, by camera and person."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_LABEL
from edan_ros.core.stamps import MAX_STEP_BACK, SegmentClock, describe_jump, is_jump
from edan_ros.drawing.privacy import PRIVACY_MODES

#: The labels by their index in a track; the last is the unknown.
LABELS: tuple[str, ...] = (*EMOTIONS, UNKNOWN_LABEL)
UNKNOWN_INDEX = len(EMOTIONS)
#: The levels of /diagnostics, by their number.
LEVELS = ("ok", "warning", "error", "stale")
#: Images and seconds without a detection after which a person was away; both must have passed.
_AWAY_IMAGES, _AWAY_SECONDS = 3.0, 0.3
#: Seconds in view below which a track has no curves of its own, and the same as a share of the
#: recording: the tracks of a short recording are short.
_SHORT_SECONDS, _SHORT_SHARE = 2.0, 0.25
#: Largest number of jumps of the stamps that are described.
_MAX_JUMPS = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One face in one image.

    label: index into LABELS. box: x, y, width, height in pixels. landmarks: (68, 2) pixels.
    reason: index into UNKNOWN_REASONS.
    """

    track_id: int
    label: int
    probabilities: Sequence[float]
    valence: float
    arousal: float
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    reason: int = 0


@dataclass(slots=True, eq=False)
class PersonTrack:
    """The observations of one track. All arrays have n rows, by time.

    times: seconds of the recording. labels: (n,) indices into LABELS.
    probabilities: (n, 7). valence, arousal: (n,) -1 to 1, NaN where unknown. boxes: (n, 4) x, y,
    width, height, and landmarks: (n, 68, 2), pixels. reasons: (n,) indices into UNKNOWN_REASONS.
    """

    number: int
    times: NDArray[np.float64]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    valence: NDArray[np.float32]
    arousal: NDArray[np.float32]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    reasons: NDArray[np.uint8]

    def rows_at(self, time: float, tolerance: float) -> range:
        """Return the rows of the time nearest to the given one, none beyond ``tolerance`` seconds.

        Only the faces without a track have several at one time.
        """
        after = int(np.searchsorted(self.times, time))
        near = self.times[max(after - 1, 0) : after + 1]
        nearest = near[np.argmin(np.abs(near - time))]
        if abs(nearest - time) > tolerance:
            return range(0)
        first = int(np.searchsorted(self.times, nearest))
        return range(first, int(np.searchsorted(self.times, nearest, "right")))

    def seconds(self, interval: float) -> float:
        """Return the seconds in view. interval: seconds from one image to the next."""
        runs = self.runs(interval)
        return sum(float(self.times[r.stop - 1] - self.times[r.start]) + interval for r in runs)

    def runs(self, interval: float) -> Iterator[slice]:
        """Yield slices of rows with one label and without a break in view.

        interval: seconds from one image to the next.
        """
        away = np.diff(self.times) > away_after(interval)
        cuts = 1 + np.flatnonzero(away | (np.diff(self.labels) != 0))
        edges = [0, *cuts.tolist(), len(self.times)]
        return (slice(a, b) for a, b in itertools.pairwise(edges))


@dataclass(slots=True, eq=False)
class Stream:
    """The results of one camera, m of them, by time.

    name: topic of the results, "" where there is only one camera. times: (m,) seconds of the
    recording. faces: (m,) number in each image. latency_ms: (m,) NaN where it is not known;
    latency_of: what it was measured from and to. image_times: of the images recorded on
    image_topic beside the results, None without any. segments: starts of the segments after the
    first, seconds, where stamps jump (``core.stamps``). files: (m) names of single images, empty
    for a video.
    """

    name: str
    times: NDArray[np.float64]
    faces: NDArray[np.int64]
    latency_ms: NDArray[np.float64]
    tracks: list[PersonTrack]
    latency_of: str = ""
    image_times: NDArray[np.float64] | None = None
    image_topic: str = ""
    segments: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    files: Sequence[str] = ()

    @property
    def interval(self) -> float:
        """Median of the seconds between two results; 0.0 for fewer than two."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    @property
    def tolerance(self) -> float:
        """Largest difference in seconds between a result and the image that it is shown with."""
        return max(0.5 * self.interval, 1e-3)


@dataclass(slots=True, frozen=True)
class Status:
    """The last recorded entry of /diagnostics of one name. level: one of LEVELS."""

    name: str
    level: str
    message: str
    values: Mapping[str, str]


#: Epoch, a number that increases where a clock goes back, and stamp in nanoseconds.
EpochStamp = tuple[int, int]


class EpochCounter:
    """Adds epochs to the stamps of one sequence, so that they sort in the order of recording."""

    def __init__(self) -> None:
        self._epoch = 0
        self._newest: int | None = None

    def number(self, stamp_ns: int) -> EpochStamp:
        """Return the next stamp with its epoch."""
        if self._newest is not None and (stamp_ns - self._newest) * 1e-9 < -MAX_STEP_BACK:
            self._epoch += 1
            self._newest = stamp_ns
        self._newest = max(self._newest or stamp_ns, stamp_ns)
        return self._epoch, stamp_ns


class TimeAxis:
    """Seconds of the recording for each stamp, without the jumps.

    Attributes:
        jumps: steps in seconds at which a segment began.
        segments: starts of the segments after the first, seconds of the recording.
    """

    def __init__(self, epoch_stamps: Iterable[EpochStamp], interval: float = 0.0) -> None:
        self._epoch_stamps = sorted(set(epoch_stamps))
        self._interval = interval
        clock = SegmentClock(interval)
        begin = self._epoch_stamps[0][1] if self._epoch_stamps else 0
        self._seconds: list[float] = []
        segments: list[float] = []
        for _, stamp in self._epoch_stamps:
            jumps = len(clock.jumps)
            self._seconds.append(clock.place((stamp - begin) * 1e-9))
            segments += self._seconds[-1:] if len(clock.jumps) > jumps else []
        self.jumps = clock.jumps
        self.segments = np.array(segments, np.float64)

    def seconds(self, epoch_stamp: EpochStamp) -> float:
        """Return the time of a stamp, NaN for one that belongs to no segment."""
        at = bisect.bisect_left(self._epoch_stamps, epoch_stamp)
        for i in (at, at - 1):
            if 0 <= i < len(self._epoch_stamps):
                epoch, stamp = self._epoch_stamps[i]
                step = (epoch_stamp[1] - stamp) * 1e-9
                if epoch == epoch_stamp[0] and not is_jump(abs(step), self._interval):
                    return self._seconds[i] + step
        return float("nan")


@dataclass(slots=True, eq=False)
class Recording:
    """The content of a report.

    begin_ns: stamp of the first result. model, settings: names and values, as recorded.
    notes: faults of the recording, a sentence each.
    """

    name: str
    begin_ns: int
    streams: list[Stream]
    model: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Status] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    axis: TimeAxis = field(default_factory=lambda: TimeAxis(()))

    @property
    def seconds(self) -> float:
        """Seconds from the first result to the last, less the jumps of the stamps."""
        return max((float(s.times[-1]) for s in self.streams if len(s.times)), default=0.0)

    @property
    def short_limit(self) -> float:
        """Seconds in view below which tracks are shown together, without curves."""
        return min(_SHORT_SECONDS, _SHORT_SHARE * self.seconds)

    def is_short(self, stream: Stream, track: PersonTrack) -> bool:
        """Return whether a track is in view for less than ``short_limit``."""
        return bool(track.number) and track.seconds(stream.interval) < self.short_limit

    @property
    def privacy(self) -> str:
        """The privacy mode of the run, which its report keeps; "none" where it is not recorded."""
        mode = self.settings.get("privacy", "none")
        return mode if mode in PRIVACY_MODES else "none"

    @property
    def is_still(self) -> bool:
        """Whether these are single images of whomever, and not the images of a camera in time."""
        tracks = [track.number for stream in self.streams for track in stream.tracks]
        return any(s.files for s in self.streams) or (bool(tracks) and not any(tracks))


class StreamBuilder:
    """Collects the results of one camera in the order of recording.

    name: see Stream. A result whose stamp was there before is dropped and counted in `repeated`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.repeated = 0
        self._epochs = EpochCounter()
        self._results: dict[EpochStamp, tuple[float, list[Sample], str]] = {}
        self._stamps: set[int] = set()

    def __len__(self) -> int:
        return len(self._results)

    def add(
        self, stamp_ns: int, samples: list[Sample], latency_ms: float | None, file: str = ""
    ) -> None:
        """Add a result. stamp_ns: of its image. file: its name, "" for an image of a video."""
        if stamp_ns in self._stamps:
            self.repeated += 1
            return
        self._stamps.add(stamp_ns)
        latency = np.nan if latency_ms is None else latency_ms
        self._results[self._epochs.number(stamp_ns)] = (latency, samples, file)

    @property
    def epoch_stamps(self) -> list[EpochStamp]:
        """The stamps of the results with their epochs, in order."""
        return sorted(self._results)

    @property
    def interval(self) -> float:
        """Median of the seconds between two results; 0.0 for fewer than two."""
        stamps = np.array([stamp for _, stamp in self.epoch_stamps], np.int64)
        return float(np.median(np.diff(stamps))) * 1e-9 if len(stamps) > 1 else 0.0

    def build(self, axis: TimeAxis, image_stamps_ns: Sequence[int] = ()) -> Stream:
        """Return the stream on a time axis. image_stamps_ns: in the order of recording."""
        epoch_stamps = self.epoch_stamps
        seconds = [axis.seconds(epoch_stamp) for epoch_stamp in epoch_stamps]
        results = [self._results[epoch_stamp] for epoch_stamp in epoch_stamps]
        people: dict[int, list[tuple[float, Sample]]] = defaultdict(list)
        for time, (_, samples, _) in zip(seconds, results, strict=True):
            for sample in samples:
                people[sample.track_id].append((time, sample))
        counter = EpochCounter()
        images = np.array([axis.seconds(counter.number(stamp)) for stamp in image_stamps_ns])
        images = np.sort(images[np.isfinite(images)])
        return Stream(
            self.name,
            np.array(seconds, np.float64),
            np.array([len(samples) for _, samples, _ in results], np.int64),
            np.array([latency for latency, _, _ in results], np.float64),
            [_track(number, rows) for number, rows in sorted(people.items())],
            image_times=images if len(images) else None,
            segments=axis.segments,
            files=[file for _, _, file in results] if any(file for *_, file in results) else (),
        )


def time_axis(builders: Sequence[StreamBuilder]) -> TimeAxis:
    """Return the time axis that the cameras of a recording share."""
    epoch_stamps = [epoch_stamp for builder in builders for epoch_stamp in builder.epoch_stamps]
    return TimeAxis(epoch_stamps, max((builder.interval for builder in builders), default=0.0))


def jump_notes(axis: TimeAxis) -> list[str]:
    """Return a sentence about each of the first jumps of the stamps."""
    notes = [f"{describe_jump(jump)}.".capitalize() for jump in axis.jumps[:_MAX_JUMPS]]
    more = len(axis.jumps) - len(notes)
    return [*notes, f"{more} more jumps of the stamps follow."] if more > 0 else notes


def away_after(interval: float) -> float:
    """Return the seconds without a detection after which a person was away."""
    return max(_AWAY_IMAGES * interval, _AWAY_SECONDS)


def _track(number: int, rows: Sequence[tuple[float, Sample]]) -> PersonTrack:
    samples = [sample for _, sample in rows]
    return PersonTrack(
        number,
        np.array([time for time, _ in rows], np.float64),
        np.array([s.label for s in samples], np.uint8),
        np.array([s.probabilities for s in samples], np.float32),
        np.array([s.valence for s in samples], np.float32),
        np.array([s.arousal for s in samples], np.float32),
        np.array([s.box for s in samples], np.float32),
        np.array([s.landmarks for s in samples], np.float32),
        np.array([s.reason for s in samples], np.uint8),
    )
