"""Tells what changes from image to image in words: who comes, who goes, how they look."""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.core.emotions import UNKNOWN_LABEL
from edan_ros.core.faces import Face, FrameResult


@dataclass(slots=True)
class _Person:
    label: str
    since: float
    seen: float


class Changes:
    """Follows results and puts every change of state into one line.

    patience: seconds for which a person may be unseen before they count as gone.
    """

    def __init__(self, patience: float = 0.3) -> None:
        self._patience = patience
        self._there: dict[int, _Person] = {}
        self._known: set[int] = set()

    def update(self, seconds: float, result: FrameResult) -> list[str]:
        """The lines for one more image. seconds: its time since the first one."""
        lines = []
        for face in result.faces:
            person = self._there.get(face.track_id)
            if person is None:
                self._there[face.track_id] = _Person(face.label, seconds, seconds)
                verb = "is back" if face.track_id in self._known else "appears"
                self._known.add(face.track_id)
                lines.append(_line(seconds, face.track_id, f"{verb}, {_look(face)}"))
                continue
            if person.label != face.label:
                lines.append(_line(seconds, face.track_id, f"{person.label} -> {_look(face)}"))
                person.label = face.label
            person.seen = seconds
        return lines + self._gone(seconds)

    def _gone(self, seconds: float) -> list[str]:
        lines = []
        for track_id, person in list(self._there.items()):
            if seconds - person.seen > self._patience:
                del self._there[track_id]
                stay = person.seen - person.since
                lines.append(_line(seconds, track_id, f"is gone after {stay:.1f} s"))
        return lines


def _line(seconds: float, track_id: int, what: str) -> str:
    return f"{seconds:7.2f} s  person {track_id} {what}"


def _look(face: Face) -> str:
    if face.label == UNKNOWN_LABEL:
        return UNKNOWN_LABEL
    return f"{face.label} ({100 * face.confidence:.0f} %)"
