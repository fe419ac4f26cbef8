"""Results as a table: one row per face, for spreadsheets and pandas."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Face, FrameResult

_BOX = ("x", "y", "width", "height")
_ANGLES = ("yaw", "pitch", "roll")
#: Stamp in seconds; file: of an image file, else empty; box in pixels; angles in degrees, empty
#: without a calibrated camera. What is unknown is empty, too.
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
    *_BOX,
    *_ANGLES,
    *ACTION_UNITS,
)


class FaceTable:
    """A CSV file as a context manager. Raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        # A file name in it need not be UTF-8.
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, stamp: float, name: str, result: FrameResult) -> None:
        """Write the faces of one image. stamp: seconds. name: of the image file."""
        for face in result.faces:
            self._writer.writerow({"stamp": f"{stamp:.6f}", "file": name, **_row(face)})


def _row(face: Face) -> dict[str, Any]:
    values = face.to_dict()
    pose = None if values["head_pose_assumed_lens"] else values["head_pose"]
    angles = {name: None if pose is None else pose[name] for name in _ANGLES}
    measures = {name: values[name] for name in ("confidence", "valence", "arousal", "presence")}
    measures |= dict(zip(EMOTIONS, values["probabilities"], strict=True))
    measures |= {name: values["action_units"].get(name) for name in ACTION_UNITS} | angles
    return {
        "track_id": values["track_id"],
        "label": values["label"],
        "polarity": "" if values["polarity"] == "unknown" else values["polarity"],
        **{name: f"{value:.1f}" for name, value in zip(_BOX, values["box"], strict=True)},
        **{name: "" if value is None else f"{value:.4f}" for name, value in measures.items()},
    }
