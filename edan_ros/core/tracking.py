"""Follows faces of one camera by their landmarks; detections only start and restart tracks.

A live track predicts where its face is, the network aligns the landmarks there, and they become
the track's next place. A detection that no live track explains opens a candidate, which takes
over a lost track nearby or else may become a new one. Cost of a match, for tracks and detections
alike: distance of the centres in face sizes plus |ln(ratio of the sizes)|; pairs are matched
greedily, cheapest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import CROP_SCALE

#: Largest cost at which a detection is the face of a live track, and by how much it grows for
#: each second that a track has been lost, in which the person may have moved.
_MATCH_COST = 0.6
_LOST_COST_PER_SECOND = 1.5
#: Cost beyond which the crop of the detection replaces that of the prediction.
_REANCHOR_COST = 0.3
#: Distance of the centres, in sizes of the larger face, below which two tracks are on one face:
#: two people's faces cannot both be seen there.
_SAME_FACE_DISTANCE = 0.35
#: Largest move or growth of the landmarks' crop against the crop they were found in, in the same
#: cost: beyond it the alignment has slipped off the face.
_SLIP_COST = 0.6
#: Seconds over which a velocity is averaged, and after which a motion is believed to end.
_VELOCITY_TIME = 0.1
_MOTION_TIME = 0.25


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """When tracks are born and die.

    memory: seconds for which a lost track keeps its id for a detection near by. birth_hits:
    images in which a new face must be seen before it is reported; one is enough at a presence of
    birth_presence or more.
    """

    memory: float = 1.0
    birth_hits: int = 3
    birth_presence: float = 0.8


@dataclass(slots=True)
class Track:
    """One face that is or was followed.

    crop: where it is believed to be. velocity: (2,) pixels a second. presence: of the last
    image. lost_for: seconds since it was last seen, 0 while it is live.
    """

    id: int
    landmarks: NDArray[np.float32]
    crop: Crop
    presence: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    hits: int = 1
    confirmed: bool = False
    live: bool = True
    lost_for: float = 0.0


@dataclass(slots=True)
class Request:
    """A crop to be looked at, and the track that it belongs to (None: nobody known)."""

    crop: Crop
    track: Track | None = None


class Tracker:
    """The tracks of one camera. ``ids`` yields numbers that are used nowhere else."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._tracks: list[Track] = []
        self._elapsed = 0.0

    @property
    def tracks(self) -> Sequence[Track]:
        """Live and remembered tracks, oldest first."""
        return self._tracks

    @property
    def needs_detection(self) -> bool:
        """Nobody is followed, or somebody was lost and may be found again."""
        return not self._tracks or any(not t.live for t in self._tracks)

    def predict(self, elapsed: float, config: TrackingConfig) -> None:
        """Move all tracks ``elapsed`` seconds (>= 0) on, and forget those lost for too long."""
        self._elapsed = elapsed
        decay = math.exp(-elapsed / _MOTION_TIME)
        for track in self._tracks:
            shift = track.velocity * (_MOTION_TIME * (1.0 - decay))
            track.crop = Crop(track.crop.center + shift, track.crop.side, track.crop.roll)
            if not track.live:
                track.velocity = track.velocity * decay
                track.lost_for += elapsed
        self._tracks = [t for t in self._tracks if t.live or t.lost_for <= config.memory]

    def requests(self, detections: Iterable[Detection], limit: int) -> list[Request]:
        """The crops to look at in this image: live tracks, then what they do not explain.

        At most ``limit``: the oldest tracks, of the detections those of best score. Live tracks
        beyond the limit are lost.
        """
        live = [Request(t.crop, t) for t in self._tracks if t.live]
        lost = [t for t in self._tracks if not t.live]
        new: list[Request] = []
        for detection in sorted(detections, key=lambda d: d.score, reverse=True):
            try:
                new.append(Request(Crop.from_detection(detection)))
            except ValueError:
                continue  # a box without size is no face
        for i, j, cost in _matches([r.crop for r in live], [r.crop for r in new], _MATCH_COST):
            if cost > _REANCHOR_COST:
                live[i].crop = new[j].crop
            new[j].track = live[i].track
        fresh = [r for r in new if r.track is None]
        gates = [_MATCH_COST + _LOST_COST_PER_SECOND * t.lost_for for t in lost]
        for i, j, _ in _matches([t.crop for t in lost], [r.crop for r in fresh], gates):
            fresh[j].track = lost[i]
        wanted = live + fresh
        for request in wanted[limit:]:
            if request.track is not None:
                request.track.live = False
        return wanted[:limit]

    def update(
        self,
        request: Request,
        landmarks: NDArray[np.floating],
        presence: float,
        threshold: float,
        config: TrackingConfig,
    ) -> Track | None:
        """Take in what the network saw in a requested crop; the track, or None if nobody.

        landmarks: (68, 2) image pixels. presence and threshold: 0 to 1.
        """
        track = request.track
        crop = _aligned(landmarks, request.crop) if presence >= threshold else None
        if crop is None:
            if track is not None and track.live:
                track.live = False
            return None
        points = np.asarray(landmarks, np.float32)
        if track is None:
            track = Track(next(self._ids), points, crop, presence)
            self._tracks.append(track)
        else:
            self._move(track, crop)
            track.landmarks, track.presence = points, presence
            track.hits += 1
            track.live, track.lost_for = True, 0.0
        enough = track.hits >= config.birth_hits or presence >= config.birth_presence
        track.confirmed = track.confirmed or enough
        return track

    def settle(self) -> list[Track]:
        """Tracks to report, oldest first, once all requests of an image have been answered.

        Of two live tracks on the same face the older remains. Tracks that were never confirmed
        are forgotten when lost.
        """
        kept: list[Track] = []
        for track in sorted((t for t in self._tracks if t.live), key=lambda t: t.id):
            if not any(_same_face(track.crop, other.crop) for other in kept):
                kept.append(track)
        lost = [t for t in self._tracks if not t.live and t.confirmed]
        self._tracks = sorted(kept + lost, key=lambda t: t.id)
        return [t for t in kept if t.confirmed]

    def _move(self, track: Track, crop: Crop) -> None:
        """Velocity from the error of the prediction, averaged over _VELOCITY_TIME."""
        if track.live and self._elapsed > 0.0:
            # The prediction already holds the damped motion of the old velocity.
            error = (crop.center - track.crop.center) / self._elapsed
            # The first step of a track, new or found again, is all that is known of its velocity.
            known = track.velocity.any()
            weight = 1.0 - math.exp(-self._elapsed / _VELOCITY_TIME) if known else 1.0
            decay = math.exp(-self._elapsed / _MOTION_TIME)
            predicted = track.velocity * (_MOTION_TIME * (1.0 - decay) / self._elapsed)
            track.velocity = track.velocity + weight * (predicted + error - track.velocity)
        else:
            track.velocity = np.zeros(2)
        track.crop = crop


def _aligned(landmarks: NDArray[np.floating], seen: Crop) -> Crop | None:
    """The landmarks' own crop, unless they slipped away from the crop they were seen in."""
    try:
        crop = Crop.from_landmarks(landmarks)
    except ValueError:
        return None
    return crop if _cost(crop, seen) <= _SLIP_COST else None


def _distance(a: Crop, b: Crop) -> float:
    return math.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1])


def _same_face(a: Crop, b: Crop) -> bool:
    return _distance(a, b) < _SAME_FACE_DISTANCE * max(a.side, b.side) / CROP_SCALE


def _cost(a: Crop, b: Crop) -> float:
    face = 0.5 * (a.side + b.side) / CROP_SCALE
    return _distance(a, b) / face + abs(math.log(a.side / b.side))


def _matches(
    rows: Sequence[Crop], columns: Sequence[Crop], gates: float | Sequence[float]
) -> list[tuple[int, int, float]]:
    """(row, column, cost) of the pairs below their row's gate, each used once, cheapest first."""
    limits = [gates] * len(rows) if isinstance(gates, float) else gates
    pairs = [
        (cost, i, j)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if (cost := _cost(row, column)) <= limits[i]
    ]
    taken_rows: set[int] = set()
    taken_columns: set[int] = set()
    matched = []
    for cost, i, j in sorted(pairs):
        if i not in taken_rows and j not in taken_columns:
            taken_rows.add(i)
            taken_columns.add(j)
            matched.append((i, j, cost))
    return matched
