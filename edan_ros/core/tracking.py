"""Follows the faces of one camera by their landmarks; detections only start and restart tracks.

A live track predicts where its face is, the network aligns the landmarks there, and they become
the track's next place. A detection that no live track explains is looked at as well: it is a lost
person's face or a new one.

Motion is an alpha-beta filter of constant velocity. Its alpha is 1: the landmarks say to a few
per cent of the face where it is. Its beta is 1 - exp(-dt / 0.1 s), so that it works at any rate of
images; while another track's face touches this one it is 1 - exp(-dt / 0.5 s), since what is half
covered seems to move. A prediction believes in the velocity for a while only: it moves by
v * T * (1 - exp(-dt / T)).

Who is who is decided for all tracks and all faces seen together, by the assignment of least total
cost (Crouse, "On implementing 2D rectangular assignment algorithms", 2016, in scipy). The cost of a
track and a face is the sum of

* overlap: 1 less the generalised IoU (Rezatofighi et al. 2019) of the upright squares of their
  face sizes, 0 to 2, and |ln(ratio of the sizes)|;
* landmark shape: root mean square distance of the 68 points once place, size and roll are taken
  out of both, 10 for a crop's side, 0.5 at most;
* time: 0.2 for each second that the track has been lost.

Overlap alone says whether a pair is possible at all. No picture of anybody is kept or compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import CROP_SCALE

#: Largest overlap cost at which a face is that of a live track, and by how much it grows for each
#: second that a track has been lost, in which the person may have moved.
_MATCH_COST = 0.85
_LOST_COST_PER_SECOND = 0.5
#: Overlap cost beyond which the crop of the detection replaces that of the prediction.
_REANCHOR_COST = 0.4
#: Largest move or growth of the landmarks' crop against the crop they were found in, in the same
#: cost: beyond it the alignment has slipped off the face.
_SLIP_COST = 0.8
#: What a difference of landmark shape costs, for each side of a crop, and at most; and a second of
#: absence.
_SHAPE_COST, _SHAPE_LIMIT = 10.0, 0.5
_TIME_COST = 0.2
#: Distance of the centres, in sizes of the larger face, below which two faces are one: two
#: people's faces cannot both be seen there.
_SAME_FACE_DISTANCE = 0.35
#: Overlap cost below which the faces of two tracks touch.
_TOUCHING_COST = 1.0
#: Seconds over which a velocity is averaged, where no other face touches and where one does.
_VELOCITY_TIME, _TOUCHING_VELOCITY_TIME = 0.1, 0.5
#: Seconds for which a motion is believed to go on, of a live track and of a lost one.
_MOTION_TIME, _LOST_MOTION_TIME = 0.25, 0.5
#: Costs more than any possible pair.
_IMPOSSIBLE = 1e3


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """When tracks are born and die.

    memory: seconds for which a lost track keeps its id for a face near by. birth_hits:
    images in which a new face must be seen before it is reported; one is enough at a presence of
    birth_presence or more.
    """

    memory: float = 1.0
    birth_hits: int = 3
    birth_presence: float = 0.8


@dataclass(slots=True)
class Track:
    """One face that is or was followed.

    crop: where it is believed to be. shape: (68, 2) landmarks in its crop, in sides of it.
    velocity: (2,) pixels a second. presence: of the last image. lost_for: seconds since it was
    last seen, 0 while it is live.
    """

    id: int
    landmarks: NDArray[np.float32]
    crop: Crop
    shape: NDArray[np.float64]
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


class Sight(NamedTuple):
    """What the network saw in a requested crop: (68, 2) landmarks in image pixels, and presence,
    0 to 1, that this is a face."""

    landmarks: NDArray[np.floating]
    presence: float


@dataclass(slots=True)
class _Seen:
    """A face in this image: the number of its request, its own crop and its landmarks in it."""

    number: int
    request: Request
    sight: Sight
    crop: Crop
    shape: NDArray[np.float64]


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
        for track in self._tracks:
            time = _MOTION_TIME if track.live else _LOST_MOTION_TIME
            decay = math.exp(-elapsed / time)
            shift = track.velocity * (time * (1.0 - decay))
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
        costs = _overlap_costs([r.crop for r in live], [r.crop for r in new])
        for i, j in _assigned(costs, costs <= _MATCH_COST):
            if costs[i, j] > _REANCHOR_COST:
                live[i].crop = new[j].crop
            new[j].track = live[i].track
        fresh = [r for r in new if r.track is None]
        costs = _overlap_costs([t.crop for t in lost], [r.crop for r in fresh])
        for i, j in _assigned(costs + _absences(lost), costs <= _gates(lost)):
            fresh[j].track = lost[i]
        wanted = live + fresh
        for request in wanted[limit:]:
            if request.track is not None:
                request.track.live = False
        return wanted[:limit]

    def update(
        self,
        requests: Sequence[Request],
        sights: Sequence[Sight],
        threshold: float,
        config: TrackingConfig,
    ) -> list[tuple[int, Track]]:
        """Take in what the network saw in each requested crop; (number of request, track) of all
        faces in this image.

        threshold: presence from which there is a face. Of tracks that were never confirmed those
        are forgotten that are not seen.
        """
        seen = _apart(_faces(requests, sights, threshold))
        touching = self._touching()
        found = self._match(seen)
        matched = {id(track) for _, track in found}
        for track in self._tracks:
            track.live = track.live and id(track) in matched
        for face, track in found:
            self._move(track, face, touching=id(track) in touching)
        taken = {face.number for face, _ in found}
        # What a known track's crop shows and no track explains is a face that it slipped on.
        fresh = [face for face in seen if face.number not in taken and face.request.track is None]
        found += [(face, self._born(face)) for face in fresh]
        for face, track in found:
            enough = track.hits >= config.birth_hits
            enough = enough or face.sight.presence >= config.birth_presence
            track.confirmed = track.confirmed or enough
        self._tracks = [t for t in self._tracks if t.live or t.confirmed]
        return [(face.number, track) for face, track in found]

    def _match(self, seen: list[_Seen]) -> list[tuple[_Seen, Track]]:
        """The faces seen that are those of tracks."""
        tracks = self._tracks
        overlap = _overlap_costs([t.crop for t in tracks], [s.crop for s in seen])
        possible = overlap <= _gates(tracks)
        for i, track in enumerate(tracks):
            for j, face in enumerate(seen):
                # The network started from this track's place: it may move further than a gate.
                possible[i, j] |= track.live and face.request.track is track
        costs = overlap + _shape_costs(tracks, seen) + _absences(tracks)
        return [(seen[j], tracks[i]) for i, j in _assigned(costs, possible)]

    def _touching(self) -> set[int]:
        """Identities (of objects) of the tracks whose face another one's touches."""
        crops = [t.crop for t in self._tracks]
        near = _overlap_costs(crops, crops) < _TOUCHING_COST
        np.fill_diagonal(near, False)
        return {id(t) for t, some in zip(self._tracks, near.any(axis=1), strict=True) if some}

    def _born(self, face: _Seen) -> Track:
        landmarks = np.asarray(face.sight.landmarks, np.float32)
        track = Track(next(self._ids), landmarks, face.crop, face.shape, face.sight.presence)
        self._tracks.append(track)
        return track

    def _move(self, track: Track, face: _Seen, *, touching: bool) -> None:
        """The track's next place, and its velocity from the error of the prediction."""
        if track.live and self._elapsed > 0.0:
            # The prediction already holds the damped motion of the old velocity.
            error = (face.crop.center - track.crop.center) / self._elapsed
            time = _TOUCHING_VELOCITY_TIME if touching else _VELOCITY_TIME
            # The first step of a track, new or found again, is all that is known of its velocity.
            known = track.velocity.any()
            weight = 1.0 - math.exp(-self._elapsed / time) if known else 1.0
            decay = math.exp(-self._elapsed / _MOTION_TIME)
            predicted = track.velocity * (_MOTION_TIME * (1.0 - decay) / self._elapsed)
            track.velocity = track.velocity + weight * (predicted + error - track.velocity)
        elif not track.live:
            track.velocity = np.zeros(2)
        track.crop, track.shape = face.crop, face.shape
        track.landmarks = np.asarray(face.sight.landmarks, np.float32)
        track.presence = face.sight.presence
        track.hits += 1
        track.live, track.lost_for = True, 0.0


def _faces(requests: Sequence[Request], sights: Sequence[Sight], threshold: float) -> list[_Seen]:
    """The faces among the sights: present, and where the crop was cut."""
    seen = []
    for number, (request, sight) in enumerate(zip(requests, sights, strict=True)):
        if sight.presence < threshold:
            continue
        try:
            crop = Crop.from_landmarks(sight.landmarks)
        except ValueError:
            continue  # points that are not finite or coincide are no face
        if _overlap_costs([request.crop], [crop])[0, 0] <= _SLIP_COST:
            shape = crop.to_crop(sight.landmarks, 1)
            seen.append(_Seen(number, request, sight, crop, shape))
    return seen


def _apart(seen: list[_Seen]) -> list[_Seen]:
    """Of several sights of one face the one that moved least from where it was looked for."""
    if len(seen) < 2:
        return seen
    moved = [_distance(s.crop, s.request.crop) / s.crop.side for s in seen]
    kept: list[_Seen] = []
    for _, _, face in sorted(zip(moved, range(len(seen)), seen, strict=True)):
        if not any(_same_face(face.crop, other.crop) for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda s: s.number)


def _distance(a: Crop, b: Crop) -> float:
    return math.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1])


def _same_face(a: Crop, b: Crop) -> bool:
    return _distance(a, b) < _SAME_FACE_DISTANCE * max(a.side, b.side) / CROP_SCALE


def _squares(crops: Sequence[Crop]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) centres and (n, 1) sizes of the faces in crops."""
    centers = np.array([crop.center for crop in crops]).reshape(-1, 2)
    return centers, np.array([[crop.side / CROP_SCALE] for crop in crops]).reshape(-1, 1)


def _overlap_costs(rows: Sequence[Crop], columns: Sequence[Crop]) -> NDArray[np.float64]:
    """(rows, columns): 1 less the generalised IoU of the faces' squares, and |ln(ratio)|."""
    (a, size_a), (b, size_b) = _squares(rows), _squares(columns)
    half_a, half_b = 0.5 * size_a[:, None], 0.5 * size_b[None]  # (r, 1, 1), (1, c, 1)
    low, high = a[:, None] - half_a, a[:, None] + half_a
    other_low, other_high = b[None] - half_b, b[None] + half_b
    shared = np.minimum(high, other_high) - np.maximum(low, other_low)
    shared = np.maximum(shared, 0.0).prod(axis=2)
    around = (np.maximum(high, other_high) - np.minimum(low, other_low)).prod(axis=2)
    union = size_a**2 + (size_b**2).T - shared
    cost = 1.0 - shared / union + (around - union) / around + np.abs(np.log(size_a / size_b.T))
    return np.asarray(cost, np.float64)


def _shape_costs(tracks: Sequence[Track], seen: Sequence[_Seen]) -> NDArray[np.float64]:
    if not (tracks and seen):
        return np.zeros((len(tracks), len(seen)))
    known, now = np.stack([t.shape for t in tracks]), np.stack([s.shape for s in seen])
    off = known[:, None] - now[None]
    distance = np.sqrt(np.mean(np.sum(off * off, axis=3), axis=2))
    return np.minimum(_SHAPE_COST * distance, _SHAPE_LIMIT)


def _absences(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """(n, 1): what the time costs since each track was seen."""
    return np.array([[_TIME_COST * t.lost_for] for t in tracks]).reshape(-1, 1)


def _gates(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """(n, 1): the largest overlap cost at which a face may be that of each track."""
    gates = [[_MATCH_COST + _LOST_COST_PER_SECOND * t.lost_for] for t in tracks]
    return np.array(gates).reshape(-1, 1)


def _assigned(costs: NDArray[np.float64], possible: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(row, column) of the pairs of least total cost among the possible ones, each used once."""
    if not possible.any():
        return []
    rows, columns = linear_sum_assignment(np.where(possible, costs, _IMPOSSIBLE))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if possible[i, j]]
