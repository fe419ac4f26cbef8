"""Multi-face tracker of one camera, driven by landmarks; detections start and recover tracks.

A live track predicts the crop of its face, the model aligns landmarks in it, and the crop fitted
to these becomes the track's new position. A detection that matches no live track is a candidate
too: a lost face or a new one. ``track.py`` holds the motion model.

Tracks and faces are matched by the assignment of least total cost (``association.py``); the
overlap cost alone decides which pairs are admissible. No appearance of anybody is stored or
compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import suppress
from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection, Observation
from edan_ros.core.settings import check_settings, setting
from edan_ros.tracking.association import (
    TIME_COST,
    assign,
    overlap_costs,
    pairwise_overlap_costs,
    shape_costs,
    shapes_of,
    squares_of,
)
from edan_ros.tracking.track import Track

#: Largest overlap cost of a match with a live track, and its growth per second after the track was
#: lost, because the person may have moved.
_MATCH_COST = 0.85
_LOST_COST_PER_SECOND = 0.5
#: Overlap cost above which the crop of a detection replaces that of the prediction.
_REANCHOR_COST = 0.4
#: Largest overlap cost between the crop that the model was given and the one fitted to its
#: landmarks; above it the alignment has slipped off the face.
_SLIP_COST = 0.8
#: Distance of two centres, in sizes of the larger face, below which two observations show one
#: face, because two faces cannot both be visible there.
_DUPLICATE_DISTANCE = 0.35
#: The same below which one face may occlude the other.
_TOUCHING_DISTANCE = 1.6


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """When tracks are confirmed and dropped. Raises SettingsError for a value out of its range."""

    memory: float = setting(
        1.0,
        "time for which a lost track keeps its id for a face near by",
        low=0.0,
        high=60.0,
        unit="s",
        name="track_memory",
    )
    birth_hits: int = setting(
        3,
        "number of images with a new face before it is reported",
        low=1,
        high=100,
        unit="images",
    )
    birth_presence: float = setting(
        0.8, "presence from which a new face is reported at once", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(slots=True)
class Candidate:
    """A crop to run the model on, and the track that it belongs to; None for a new face."""

    crop: Crop
    track: Track | None = None


@dataclass(slots=True)
class _Match:
    """An observation that shows a face.

    index, candidate: of the observation. crop: fitted to its landmarks. shape: (68, 2), the
    landmarks relative to that crop. shift: overlap cost between that crop and the candidate's.
    """

    index: int
    candidate: Candidate
    observation: Observation
    crop: Crop
    shape: NDArray[np.float64]
    shift: float


class Tracker:
    """The tracks of one camera.

    For each image call ``predict``, ``candidates`` and ``update``, in this order.

    Args:
        ids: yields track ids that no other tracker uses.
    """

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._tracks: list[Track] = []
        self._elapsed = 0.0
        self._image = 1
        self._turn = 0  # id of the track that was carried last
        #: Tracks that are not measured in the current image.
        self.carried: list[Track] = []
        #: Candidates of the current image beyond the limit.
        self.omitted = 0

    @property
    def tracks(self) -> Sequence[Track]:
        """Live and lost tracks, oldest first."""
        return self._tracks

    @property
    def needs_detection(self) -> bool:
        """Whether there is no track, or a lost one that may be recovered."""
        return not self._tracks or any(not t.live for t in self._tracks)

    def predict(self, elapsed: float, config: TrackingConfig) -> None:
        """Predict all tracks ``elapsed`` seconds (>= 0) later; drop those lost for too long."""
        self._elapsed = elapsed
        self._image += 1
        self.carried = []
        for track in self._tracks:
            track.predict(elapsed)
        self._tracks = [t for t in self._tracks if t.live or t.lost_for <= config.memory]

    def drop_all(self) -> None:
        """Drop all tracks: the next image shows another scene."""
        self._tracks = []

    def candidates(self, detections: Iterable[Detection], limit: int) -> list[Candidate]:
        """Return the crops to run the model on: live tracks, then detections that match none.

        Args:
            detections: of the current image; those whose box is empty are skipped.
            limit: most candidates to return. The oldest tracks and the best detections are kept;
                live tracks beyond the limit are lost.
        """
        live = [Candidate(t.crop, t) for t in self._tracks if t.live]
        lost = [t for t in self._tracks if not t.live]
        detected: list[Candidate] = []
        for detection in sorted(detections, key=lambda d: d.score, reverse=True):
            try:
                detected.append(Candidate(detection.crop()))
            except ValueError:
                continue  # an empty box
        if not detected:
            return self._limited(live, limit)
        costs = pairwise_overlap_costs([c.crop for c in live], [c.crop for c in detected])
        for i, j in assign(costs, costs <= _MATCH_COST):
            if costs[i, j] > _REANCHOR_COST:
                live[i].crop = detected[j].crop
            detected[j].track = live[i].track
        unmatched = [c for c in detected if c.track is None]
        costs = _overlap_costs(lost, [c.crop for c in unmatched])
        for i, j in assign(costs + _lost_time_costs(lost), costs <= _match_thresholds(lost)):
            unmatched[j].track = lost[i]
        return self._limited(live + unmatched, limit)

    def _limited(self, candidates: list[Candidate], limit: int) -> list[Candidate]:
        self.omitted = max(0, len(candidates) - limit)
        for candidate in candidates[limit:]:
            if candidate.track is not None:
                candidate.track.mark_lost()
        return candidates[:limit]

    def carry(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates to measure: all but up to half of them, faces that are still.

        The others are carried on as predicted, over one image at most. They take turns in the
        order of their ids, so that all still faces are measured equally often.

        Args:
            candidates: as returned by ``candidates`` without detections for the current image.
        """
        still = [
            track
            for candidate in candidates
            if (track := candidate.track) is not None
            and track.confirmed
            and track.last_carried != self._image - 1
            and track.is_still()
        ]
        still.sort(key=lambda track: (track.id <= self._turn, track.id))
        self.carried = still[: len(candidates) // 2]
        for track in self.carried:
            track.carry(self._image)
            self._turn = track.id
        return [c for c in candidates if c.track is None or c.track.last_carried != self._image]

    def update(
        self,
        candidates: Sequence[Candidate],
        observations: Sequence[Observation],
        threshold: float,
        config: TrackingConfig,
    ) -> list[tuple[int, Track]]:
        """Update the tracks with one observation per candidate.

        Unconfirmed tracks without a match are dropped.

        Args:
            candidates: as returned by ``candidates`` or ``carry`` for the current image.
            observations: of these candidates, in the same order.
            threshold: presence, 0 to 1, from which an observation counts as a face.
            config: when tracks are confirmed.

        Returns:
            (index of the observation, track) for each face of the image.
        """
        matches = _suppress_duplicates(_matches(candidates, observations, threshold))
        touching = self._touching()
        assigned = self._assign(matches)
        found = {id(track) for track in self.carried} | {id(track) for _, track in assigned}
        for track in self._tracks:
            if track.live and id(track) not in found:
                track.mark_lost()
        for match, track in assigned:
            elapsed = track.age if track.live else self._elapsed
            track.correct(match.crop, match.shape, elapsed, touching=id(track) in touching)
            track.landmarks = np.asarray(match.observation.landmarks, np.float32)
            track.presence = match.observation.presence
        taken = {match.index for match, _ in assigned}
        # An unassigned face inside the crop of a track is one that the track drifted onto.
        new = [m for m in matches if m.index not in taken and m.candidate.track is None]
        assigned += [(match, self._start_track(match)) for match in new]
        for match, track in assigned:
            enough = track.hits >= config.birth_hits
            enough = enough or match.observation.presence >= config.birth_presence
            track.confirmed = track.confirmed or enough
        self._tracks = [t for t in self._tracks if t.live or t.confirmed]
        return [(match.index, track) for match, track in assigned]

    def _assign(self, matches: list[_Match]) -> list[tuple[_Match, Track]]:
        """Assign matches to existing tracks, except those that are carried."""
        tracks = [t for t in self._tracks if t.last_carried != self._image]
        if not (tracks and matches):
            return []
        match, track = matches[0], tracks[0]
        if len(tracks) == len(matches) == 1 and track.live and match.candidate.track is track:
            return [(match, track)]  # one person, whom the costs below would give as well
        overlap = _overlap_costs(tracks, [m.crop for m in matches])
        admissible = overlap <= _match_thresholds(tracks)
        rows = {id(track): i for i, track in enumerate(tracks) if track.live}
        for j, match in enumerate(matches):
            # The model started from the crop of this track, so it may move beyond the threshold.
            if (row := rows.get(id(match.candidate.track))) is not None:
                admissible[row, j] = True
        costs = overlap + _lost_time_costs(tracks)
        costs += shape_costs([t.shape for t in tracks], [m.shape for m in matches])
        return [(matches[j], tracks[i]) for i, j in assign(costs, admissible)]

    def _touching(self) -> set[int]:
        """Return the object identities of the tracks whose face touches another one."""
        close = _closer_than(_TOUCHING_DISTANCE, [t.crop for t in self._tracks]).sum(axis=1)
        return {id(t) for t, n in zip(self._tracks, close.tolist(), strict=True) if n > 1}

    def _start_track(self, match: _Match) -> Track:
        landmarks = np.asarray(match.observation.landmarks, np.float32)
        crop, presence = match.crop, match.observation.presence
        track = Track(next(self._ids), landmarks, crop, match.shape, crop.side, presence)
        self._tracks.append(track)
        return track


def _matches(
    candidates: Sequence[Candidate], observations: Sequence[Observation], threshold: float
) -> list[_Match]:
    """Return the observations that show a face inside their candidate's crop."""
    present = [i for i, observation in enumerate(observations) if observation.presence >= threshold]
    if not present:
        return []
    landmarks = np.stack([observations[i].landmarks for i in present])
    crops = Crop.from_many(landmarks)
    shapes = shapes_of(landmarks, crops)
    fitted = [
        (i, crop, shape) for i, crop, shape in zip(present, crops, shapes, strict=True) if crop
    ]
    given = squares_of([candidates[i].crop for i, _, _ in fitted])
    shifts = overlap_costs(given, squares_of([crop for _, crop, _ in fitted]))
    return [
        _Match(i, candidates[i], observations[i], crop, shape, shift)
        for (i, crop, shape), shift in zip(fitted, shifts.tolist(), strict=True)
        if shift <= _SLIP_COST
    ]


def _suppress_duplicates(matches: list[_Match]) -> list[_Match]:
    """Keep, of several matches with one face, the one that shifted least."""
    same = _closer_than(_DUPLICATE_DISTANCE, [m.crop for m in matches])
    if np.count_nonzero(same) == len(matches):  # each only with itself
        return matches
    order = np.argsort([m.shift for m in matches], kind="stable")
    kept = suppress(same[np.ix_(order, order)])
    return [matches[i] for i in sorted(order[kept].tolist())]


def _closer_than(distance: float, crops: Sequence[Crop]) -> NDArray[np.bool_]:
    """Return for all (n, n) pairs whether the faces' centres are closer than ``distance``.

    The unit is the size of the larger face of a pair.
    """
    if len(crops) < 2:
        return np.ones((len(crops), len(crops)), bool)
    squares = squares_of(crops)
    offset = squares[:, None, :2] - squares[:, :2]
    larger = np.maximum(squares[:, None, 2], squares[:, 2])
    return np.asarray((offset * offset).sum(axis=2) < (distance * larger) ** 2)


def _overlap_costs(tracks: Sequence[Track], crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return the (tracks, crops) overlap costs; for lost tracks with the nearer prediction."""
    costs = pairwise_overlap_costs([t.crop for t in tracks], crops)
    lost = [i for i, track in enumerate(tracks) if not track.live]
    if lost:
        undamped = pairwise_overlap_costs([tracks[i].undamped_crop for i in lost], crops)
        costs[lost] = np.minimum(costs[lost], undamped)
    return costs


def _lost_time_costs(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Return the (n, 1) costs of the time since each track was lost."""
    return np.array([[TIME_COST * t.lost_for] for t in tracks]).reshape(-1, 1)


def _match_thresholds(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Return the (n, 1) largest overlap costs at which a face may match each track."""
    thresholds = [[_MATCH_COST + _LOST_COST_PER_SECOND * t.lost_for] for t in tracks]
    return np.array(thresholds).reshape(-1, 1)
