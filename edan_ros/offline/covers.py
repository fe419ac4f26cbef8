"""Decide which heads to hide in each image of a recording, also where a detector misses some.

Faces found in single images are linked to tracks. Gaps inside a track are interpolated, and both of
its ends are extended, backwards and forwards in time: a face is detected late when it enters, and
lost early when it turns away or leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.eyes import Eyes
from edan_ros.drawing.privacy import PRIVACY_MARGIN, Cover
from edan_ros.tracking.association import assign, overlap_costs

#: Longest gap in seconds inside a track: faces further apart in time are separate tracks.
MAX_GAP = 1.0
#: Seconds by which times that were converted from nanoseconds may be off.
_ROUNDING = 1e-6
#: IoU above which two findings in one image are one face, and above which one cover hides both.
SAME_FACE, _SAME_PLACE = 0.5, 0.85
#: Largest overlap cost of a link, and its growth per second of the gap.
_LINK_COST, _LINK_COST_PER_SECOND = 1.0, 1.0
#: Factor on the size of a head whose place is interpolated or extrapolated.
_UNCERTAIN = 1.2
#: Findings at the end of a track that give its velocity, and the largest extrapolated motion in
#: sizes of the face.
_VELOCITY_FINDINGS, _MAX_MOTION = 5, 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A face found in one image.

    Attributes:
        detector: name of what found it.
        box: tight box of the landmarks, pixels.
        score: 0 to 1.
        roll: in-plane rotation in radians, positive clockwise on the screen.
        landmarks: (68, 2) in pixels; None where only a box is known.
        eyes: openness and gaze, where they are measured.
        flat: whether it was found again after it had been hidden.
    """

    detector: str
    box: Box
    score: float = 1.0
    roll: float = 0.0
    landmarks: NDArray[np.float32] | None = None
    eyes: Eyes | None = None
    flat: bool = False

    def cover(self, *, avatar: bool, scale: float = 1.0) -> Cover:
        """Return the cover of this face; without landmarks it is blurred."""
        landmarks = self.landmarks if avatar else None
        return Cover(self.box, self.roll, scale, self.flat, landmarks, self.eyes)


@dataclass(slots=True)
class FoundTrack:
    """One face over time. images: numbers of its images, ascending. findings: one for each."""

    images: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def link(times: Sequence[float], found: Sequence[Sequence[Finding]]) -> list[FoundTrack]:
    """Link the faces found in a sequence of images to tracks.

    Args:
        times: of the images in seconds, ascending.
        found: the faces in each image, in any order.
    """
    tracks: list[FoundTrack] = []
    active: list[FoundTrack] = []
    for number, (time, findings) in enumerate(zip(times, found, strict=True)):
        active = [t for t in active if time - times[t.images[-1]] <= MAX_GAP]
        faces = distinct(findings)
        gaps = np.array([time - times[t.images[-1]] for t in active]).reshape(-1, 1)
        last = _squares([t.findings[-1] for t in active])
        costs = overlap_costs(last[:, None], _squares(faces))
        pairs = assign(costs, costs <= _LINK_COST + _LINK_COST_PER_SECOND * gaps)
        of_face = {column: active[row] for row, column in pairs}
        for column, face in enumerate(faces):
            track = of_face.get(column)
            if track is None:
                track = FoundTrack()
                tracks.append(track)
                active.append(track)
            track.images.append(number)
            track.findings.append(face)
    return tracks


def distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding per face of an image: with landmarks where there is one, else the best."""
    kept: list[Finding] = []
    for face in sorted(findings, key=lambda f: (f.landmarks is None, -f.score)):
        if all(face.box.iou(other.box) <= SAME_FACE for other in kept):
            kept.append(face)
    return kept


def plan_covers(
    times: Sequence[float], found: Sequence[Sequence[Finding]], *, avatars: bool
) -> list[list[Cover]]:
    """Return what to hide in each image of a sequence.

    Args:
        times: of the images in seconds, ascending.
        found: the faces in each image.
        avatars: draw an avatar where landmarks are measured, or known shortly before and after.
    """
    covers: list[list[Cover]] = [[] for _ in times]
    for place, findings in zip(covers, found, strict=True):
        for face in sorted(findings, key=lambda f: (not f.flat, f.landmarks is None, -f.score)):
            if all(face.box.iou(cover.box) <= _SAME_PLACE for cover in place):
                place.append(face.cover(avatar=avatars))
    for track in link(times, found):
        known = list(zip(track.images, track.findings, strict=True))
        gaps = _interpolated(times, known)
        if avatars:
            # A detector may have found the box where the landmarks are missing.
            measured = [(number, face) for number, face in known if face.landmarks is not None]
            gaps += _interpolated(times, measured)
        for number, face in gaps:
            covers[number].append(face.cover(avatar=avatars, scale=_UNCERTAIN))
        for number, face in _extended(times, track):
            covers[number].append(face.cover(avatar=False, scale=_UNCERTAIN))
    return covers


def _interpolated(
    times: Sequence[float], known: Sequence[tuple[int, Finding]]
) -> list[tuple[int, Finding]]:
    """Return faces for the images between known ones, by linear interpolation."""
    made = []
    for (first, a), (last, b) in itertools.pairwise(known):
        if times[last] - times[first] > MAX_GAP:
            continue
        for number in range(first + 1, last):
            span = times[last] - times[first]
            part = (times[number] - times[first]) / span if span > 0.0 else 0.5
            made.append((number, _between(a, b, part)))
    return made


def _extended(times: Sequence[float], track: FoundTrack) -> Iterator[tuple[int, Finding]]:
    """Yield faces for the images before the first and after the last finding of a track.

    A head may have stayed where it was or moved on: both places are hidden.
    """
    for step in (-1, 1):
        end = 0 if step < 0 else -1
        face, number = track.findings[end], track.images[end] + step
        velocity = _velocity(times, track, step)
        near = number
        while 0 <= number < len(times):
            seconds = times[number] - times[track.images[end]]
            # At least one image, however slowly they come.
            if abs(seconds) > (MAX_GAP if number == near else PRIVACY_MARGIN) + _ROUNDING:
                break
            yield number, _moved(face, (0.0, 0.0))
            limit = _MAX_MOTION * face.box.size
            dx, dy = np.clip(velocity * seconds, -limit, limit).tolist()
            if max(abs(dx), abs(dy)) > 0.1 * face.box.size:
                yield number, _moved(face, (dx, dy))
            number += step


def _velocity(times: Sequence[float], track: FoundTrack, step: int) -> NDArray[np.float64]:
    """Return the (2,) velocity in pixels per second at the end of a track in direction ``step``."""
    part = slice(None, _VELOCITY_FINDINGS) if step < 0 else slice(-_VELOCITY_FINDINGS, None)
    images, faces = track.images[part], track.findings[part]
    seconds = times[images[-1]] - times[images[0]]
    if seconds <= 0.0:
        return np.zeros(2)
    return (np.array(faces[-1].box.center) - faces[0].box.center) / seconds


def _between(a: Finding, b: Finding, part: float) -> Finding:
    """Return the face a share ``part`` of the way from one finding to another."""

    def mix(x: float, y: float) -> float:
        return x + part * (y - x)

    box = Box(*(mix(x, y) for x, y in zip(_sides(a.box), _sides(b.box), strict=True)))
    landmarks = None
    if a.landmarks is not None and b.landmarks is not None:
        landmarks = a.landmarks + np.float32(part) * (b.landmarks - a.landmarks)
    near = a if part < 0.5 else b
    return Finding("", box, 0.0, near.roll, landmarks, near.eyes, a.flat or b.flat)


def _moved(face: Finding, shift: tuple[float, float]) -> Finding:
    box = Box(face.box.x + shift[0], face.box.y + shift[1], face.box.width, face.box.height)
    return Finding("", box, 0.0, face.roll, flat=face.flat)


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def _squares(faces: Sequence[Finding]) -> NDArray[np.float64]:
    """Return (n, 3) centres and sides, as ``tracking.association`` compares them."""
    rows = [(*face.box.center, face.box.size) for face in faces]
    return np.array(rows, np.float64).reshape(-1, 3)
