"""Follows the faces of one camera by their landmarks; detections only start and restart tracks.

A live track predicts where its face is, the network aligns the landmarks there, and they become
the track's next place. A detection that no live track explains is looked at as well: it is a lost
person's face or a new one.

How one of them moves and is waited for: ``tracking/track.py``.

Who is who is decided for all tracks and all faces seen together, by the assignment of least total
cost; ``association.py`` says what a pair costs. Overlap alone says whether it is possible at
all. No picture of anybody is kept or compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.tracking.association import (
    TIME_COST,
    assigned,
    overlap_costs,
    overlaps_between,
    places_of,
    shape_costs,
    shapes_of,
)
from edan_ros.tracking.track import Track

#: Largest overlap cost at which a face is that of a live track, and by how much it grows for each
#: second that a track has been lost, in which the person may have moved.
_MATCH_COST = 0.85
_LOST_COST_PER_SECOND = 0.5
#: Overlap cost beyond which the crop of the detection replaces that of the prediction.
_REANCHOR_COST = 0.4
#: Largest move or growth of the landmarks' crop against the crop they were found in, in the same
#: cost: beyond it the alignment has slipped off the face.
_SLIP_COST = 0.8
#: Distance of the middles, in sizes of the larger face, below which two faces are one: two people's
#: faces cannot both be seen there; and below which one head may be covering the other face.
_SAME_FACE, _TOUCHING = 0.35, 1.6


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
    """A face in this image: the number of its request, its own crop and its landmarks in it.

    moved: overlap cost of its own crop and the one that was asked for.
    """

    number: int
    request: Request
    sight: Sight
    crop: Crop
    shape: NDArray[np.float64]
    moved: float


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
            track.predict(elapsed)
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
        if not new:
            return self._limited(live, limit)
        costs = overlaps_between([r.crop for r in live], [r.crop for r in new])
        for i, j in assigned(costs, costs <= _MATCH_COST):
            if costs[i, j] > _REANCHOR_COST:
                live[i].crop = new[j].crop
            new[j].track = live[i].track
        fresh = [r for r in new if r.track is None]
        costs = _overlaps(lost, [r.crop for r in fresh])
        for i, j in assigned(costs + _absences(lost), costs <= _gates(lost)):
            fresh[j].track = lost[i]
        return self._limited(live + fresh, limit)

    @staticmethod
    def _limited(wanted: list[Request], limit: int) -> list[Request]:
        for request in wanted[limit:]:
            if request.track is not None:
                request.track.lose()
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
            if track.live and id(track) not in matched:
                track.lose()
        for face, track in found:
            track.see(face.crop, face.shape, self._elapsed, touching=id(track) in touching)
            track.landmarks = np.asarray(face.sight.landmarks, np.float32)
            track.presence = face.sight.presence
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
        if not (tracks and seen):
            return []
        overlap = _overlaps(tracks, [s.crop for s in seen])
        possible = overlap <= _gates(tracks)
        rows = {id(track): i for i, track in enumerate(tracks) if track.live}
        for j, face in enumerate(seen):
            # The network started from this track's place: it may move further than a gate.
            if (row := rows.get(id(face.request.track))) is not None:
                possible[row, j] = True
        costs = overlap + _absences(tracks)
        costs += shape_costs([t.shape for t in tracks], [s.shape for s in seen])
        return [(seen[j], tracks[i]) for i, j in assigned(costs, possible)]

    def _touching(self) -> set[int]:
        """Identities (of objects) of the tracks whose face another one's touches."""
        close = _closer([t.crop for t in self._tracks], _TOUCHING).sum(axis=1)
        return {id(t) for t, n in zip(self._tracks, close.tolist(), strict=True) if n > 1}

    def _born(self, face: _Seen) -> Track:
        landmarks = np.asarray(face.sight.landmarks, np.float32)
        crop, shape, presence = face.crop, face.shape, face.sight.presence
        track = Track(next(self._ids), landmarks, crop, shape, crop.side, presence)
        self._tracks.append(track)
        return track


def _faces(requests: Sequence[Request], sights: Sequence[Sight], threshold: float) -> list[_Seen]:
    """The faces among the sights: present, and where the crop was cut."""
    present = [i for i, sight in enumerate(sights) if sight.presence >= threshold]
    if not present:
        return []
    landmarks = np.stack([sights[i].landmarks for i in present])
    crops = Crop.from_many(landmarks)
    kept = [(k, i, crop) for k, (i, crop) in enumerate(zip(present, crops, strict=True)) if crop]
    asked = places_of([requests[i].crop for _, i, _ in kept])
    moves = overlap_costs(asked, places_of([crop for _, _, crop in kept]))
    shapes = shapes_of(landmarks, crops)
    return [
        _Seen(i, requests[i], sights[i], crop, shapes[k], moved)
        for (k, i, crop), moved in zip(kept, moves.tolist(), strict=True)
        if moved <= _SLIP_COST
    ]


def _closer(crops: Sequence[Crop], distance: float) -> NDArray[np.bool_]:
    """(n, n): whether the middles of two faces are closer than this, in sizes of the larger."""
    places = places_of(crops)
    off = places[:, None, :2] - places[:, :2]
    larger = np.maximum(places[:, None, 2], places[:, 2])
    return np.asarray((off * off).sum(axis=2) < (distance * larger) ** 2)


def _apart(seen: list[_Seen]) -> list[_Seen]:
    """Of several sights of one face the one that moved least from where it was looked for."""
    same = _closer([s.crop for s in seen], _SAME_FACE)
    if np.count_nonzero(same) == len(seen):  # each is one with itself alone
        return seen
    kept: list[int] = []
    for i in sorted(range(len(seen)), key=lambda i: seen[i].moved):
        if not same[i, kept].any():
            kept.append(i)
    return [seen[i] for i in sorted(kept)]


def _overlaps(tracks: Sequence[Track], crops: Sequence[Crop]) -> NDArray[np.float64]:
    """(tracks, crops): overlap costs with where each track is, or, of the lost, would be if it
    walked on."""
    costs = overlaps_between([t.crop for t in tracks], crops)
    lost = [i for i, track in enumerate(tracks) if not track.live]
    if lost:
        further = overlaps_between([tracks[i].further for i in lost], crops)
        costs[lost] = np.minimum(costs[lost], further)
    return costs


def _absences(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """(n, 1): what the time costs since each track was seen."""
    return np.array([[TIME_COST * t.lost_for] for t in tracks]).reshape(-1, 1)


def _gates(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """(n, 1): the largest overlap cost at which a face may be that of each track."""
    gates = [[_MATCH_COST + _LOST_COST_PER_SECOND * t.lost_for] for t in tracks]
    return np.array(gates).reshape(-1, 1)
