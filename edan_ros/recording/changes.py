"""Describe changes from image to image: who appears, who leaves, whose label changes."""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.core.emotions import UNKNOWN_LABEL
from edan_ros.core.faces import Face, FrameResult
from edan_ros.drawing.faces import unknown_text


@dataclass(slots=True)
class _Visit:
    """One person in view. since, latest: seconds of the first and the last image."""

    label: str
    since: float
    latest: float


class Changes:
    """Describes every change of state in one line.

    timeout: seconds without a detection after which a person has left.
    """

    def __init__(self, timeout: float = 0.3) -> None:
        self._timeout = timeout
        self._present: dict[int, _Visit] = {}
        self._known: set[int] = set()

    def update(self, seconds: float, result: FrameResult) -> list[str]:
        """Return the changes of one more image. seconds: its time since the first one."""
        lines = []
        for face in result.faces:
            person = self._present.get(face.track_id)
            if person is None:
                self._present[face.track_id] = _Visit(face.label, seconds, seconds)
                verb = "is back" if face.track_id in self._known else "appears"
                self._known.add(face.track_id)
                lines.append(_line(seconds, face.track_id, f"{verb}, {_appearance(face)}"))
                continue
            if person.label != face.label:
                lines.append(
                    _line(seconds, face.track_id, f"{person.label} -> {_appearance(face)}")
                )
                person.label = face.label
            person.latest = seconds
        return lines + self._departures(seconds)

    def _departures(self, seconds: float) -> list[str]:
        lines = []
        for track_id, person in list(self._present.items()):
            if seconds - person.latest > self._timeout:
                del self._present[track_id]
                stay = person.latest - person.since
                lines.append(_line(seconds, track_id, f"is gone after {stay:.1f} s"))
        return lines


def _line(seconds: float, track_id: int, what: str) -> str:
    return f"{seconds:7.2f} s  person {track_id} {what}"


def _appearance(face: Face) -> str:
    if face.label == UNKNOWN_LABEL:
        return unknown_text(face)
    return f"{face.label} ({100 * face.confidence:.0f} %)"
