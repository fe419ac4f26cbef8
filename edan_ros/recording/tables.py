"""Results as a table: one row a face, for spreadsheets and pandas."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.emotions import EMOTIONS, POLARITIES
from edan_ros.core.faces import Face, FrameResult

#: Stamp in seconds; file: of a picture, else empty; box in pixels; angles in degrees, empty without
#: a calibrated camera. Empty, too, is what is not known.
COLUMNS = (
    "stamp",
    "file",
    "track_id",
    "label",
    "confidence",
    *EMOTIONS,
    "polarity",
    "valence",
    "arousal",
    "presence",
    "x",
    "y",
    "width",
    "height",
    "yaw",
    "pitch",
    "roll",
    *ACTION_UNITS,
)


class FaceTable:
    """A CSV file as a context manager. Raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, stamp: float, name: str, result: FrameResult) -> None:
        """The faces of one image. stamp: seconds. name: of the picture's file."""
        for face in result.faces:
            self._writer.writerow([f"{stamp:.6f}", name, *_values(face)])


def _values(face: Face) -> list[object]:
    polarity = POLARITIES[face.polarity] if face.polarity < len(POLARITIES) else ""
    box, pose = face.box, None if face.head_pose_assumed else face.head_pose
    angles = (math.nan,) * 3 if pose is None else (pose.yaw, pose.pitch, pose.roll)
    units = [face.action_units.get(name, math.nan) for name in ACTION_UNITS]
    return [
        face.track_id,
        face.label,
        _number(face.confidence),
        *map(_number, face.probabilities),
        polarity,
        *map(_number, (face.valence, face.arousal, face.presence)),
        *(f"{value:.1f}" for value in (box.x, box.y, box.width, box.height)),
        *(_number(math.degrees(angle)) for angle in angles),
        *map(_number, units),
    ]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
