"""MOTA and IDF1 of tracks against annotated boxes.

Computed here because the maintained library, trackeval, requires opencv-python, which overwrites
the files of the opencv-python-headless that the package runs on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from edan_ros.core.boxes import Box


@dataclass(frozen=True)
class TrackingMetrics:
    """Figures over a sequence.

    Attributes:
        switches: annotated people whose matched track changed, counted once per change.
        tracks: number of different track ids.
        mota: 1 - (misses + false positives + switches) / annotated boxes (Bernardin &
            Stiefelhagen 2008).
        idf1: F1 of boxes under the best one-to-one assignment of tracks to people (Ristani et
            al. 2016).
    """

    switches: int
    tracks: int
    mota: float
    idf1: float


def evaluate_tracks(
    frames: Iterable[tuple[Mapping[int, Box], Mapping[int, Box]]], min_iou: float
) -> TrackingMetrics:
    """Compare the tracks of each frame with its annotation.

    Args:
        frames: annotated boxes by person and tracked boxes by track id, in order of time.
        min_iou: intersection over union from which a track matches a person.
    """
    matched: dict[int, int] = {}  # person -> the track that it was last matched with
    people, tracks, together = Counter[int](), Counter[int](), Counter[tuple[int, int]]()
    errors = switches = 0
    for truth, found in frames:
        people.update(truth.keys())
        tracks.update(found.keys())
        overlap = {(p, t): truth[p].iou(found[t]) for p in truth for t in found}
        valid = {pair for pair, iou in overlap.items() if iou >= min_iou}
        together.update(valid)
        kept = {p: t for p, t in matched.items() if (p, t) in valid}
        free = [t for t in found if t not in kept.values()]
        waiting = [p for p in truth if p not in kept]
        # A pair that is not valid scores too little to take the place of one that is.
        scores = np.array(
            [[1.0 + overlap[p, t] if (p, t) in valid else 0.0 for t in free] for p in waiting]
        ).reshape(len(waiting), len(free))
        for i, j in zip(*linear_sum_assignment(scores, maximize=True), strict=True):
            if scores[i, j]:
                kept[waiting[i]] = free[j]
        switches += sum(p in matched and matched[p] != t for p, t in kept.items())
        errors += len(truth) + len(found) - 2 * len(kept)
        matched |= kept
    common = np.array([[together[p, t] for t in tracks] for p in people])
    best = common[linear_sum_assignment(common, maximize=True)].sum()
    boxes = people.total()
    return TrackingMetrics(
        switches,
        len(tracks),
        1.0 - (errors + switches) / boxes,
        2 * best / (boxes + tracks.total()),
    )
