"""Results as a table with one row per face: CSV for spreadsheets, Parquet for data frames."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.wording import printable

_BOX = ("x", "y", "width", "height")
_POSITION = ("head_x", "head_y", "head_z")
_ANGLES = ("yaw", "pitch", "roll")
_EYES = ("eye_openness_right", "eye_openness_left", "gaze_yaw", "gaze_pitch")
_RAW = tuple(f"raw_{name}" for name in EMOTIONS)
_INTEGERS, _FLAGS = ("track_id",), ("head_pose_assumed_lens",)
_TEXTS = ("file", "label", "unknown_reason", "polarity", "eye_quality")
#: stamp in seconds, of video and cameras; file: of an image file; box in pixels; angles in degrees
#: and head position in metres, from an assumed lens where the flag says so; raw_*: probabilities
#: of this image alone; openness of the eyes 0 to 1, gaze in the head in degrees. What is unknown
#: is empty.
COLUMNS = (
    *("stamp", "file", "track_id", "label", "unknown_reason", "confidence"),
    *EMOTIONS,
    *_RAW,
    *("polarity", "valence", "arousal", "intensity", "presence"),
    *_BOX,
    *_ANGLES,
    *_POSITION,
    "head_pose_assumed_lens",
    *_EYES,
    "eye_quality",
    *ACTION_UNITS,
)
#: Columns of the landmarks in pixels, in iBUG order.
LANDMARK_COLUMNS = tuple(f"{axis}{i}" for i in range(68) for axis in ("x", "y"))
#: Digits after the point of columns other than those of four.
_DIGITS = {"stamp": 6, **dict.fromkeys((*_BOX, *LANDMARK_COLUMNS), 1)}
#: Rows that are kept until they are written to a Parquet file.
_GROUP = 5000


class FaceTable:
    """A CSV file as a context manager. Raises OSError where it cannot be written.

    landmarks: whether it has the columns of the 68 landmarks.
    """

    def __init__(self, path: Path, *, landmarks: bool = False) -> None:
        self._columns = COLUMNS + LANDMARK_COLUMNS * landmarks
        # A file name in it need not be UTF-8.
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._writer = csv.DictWriter(self._file, self._columns, extrasaction="ignore")
        self._writer.writeheader()

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, stamp: float | None, name: str, result: FrameResult) -> None:
        """Write the faces of one image. stamp: seconds. name: of the image file."""
        for face in result.faces:
            row = _row(stamp, name, face)
            self._writer.writerow({key: _text(key, value) for key, value in row.items()})


class ParquetTable:
    """The same columns as a Parquet file; a context manager.

    landmarks: as for ``FaceTable``. labels: names of columns of text before the others.

    Raises ModuleNotFoundError without pyarrow, OSError where the file cannot be written.
    """

    def __init__(self, path: Path, *, landmarks: bool = False, labels: Sequence[str] = ()) -> None:
        import pyarrow
        import pyarrow.parquet

        kinds = {
            **dict.fromkeys(_INTEGERS, pyarrow.int64()),
            **dict.fromkeys(_FLAGS, pyarrow.bool_()),
            **dict.fromkeys((*labels, *_TEXTS), pyarrow.string()),
        }
        columns = (*labels, *COLUMNS, *LANDMARK_COLUMNS * landmarks)
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in columns])
        self._to_table, self._schema = pyarrow.Table.from_pylist, schema
        self._writer = pyarrow.parquet.ParquetWriter(path, schema)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> ParquetTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._writer.close()

    def add(
        self,
        stamp: float | None,
        name: str,
        result: FrameResult,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add the faces of one image, as ``FaceTable.add``. labels: values of these columns."""
        rows = [_row(stamp, printable(name), face) for face in result.faces]
        self._rows += [{**row, **labels} for row in rows] if labels else rows
        if len(self._rows) >= _GROUP:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(self._to_table(self._rows, schema=self._schema))
            self._rows.clear()


def _row(stamp: float | None, name: str, face: Face) -> dict[str, Any]:
    """Return the values of all columns; None for what is unknown."""
    values = face.to_dict()
    pose = values["head_pose"] or {}
    eyes = values["eyes"] or {"openness": (None, None)}
    gaze = eyes.get("yaw"), eyes.get("pitch")
    names = ("track_id", "label", "confidence", "valence", "arousal", "intensity", "presence")
    return {
        "stamp": stamp,
        "file": name or None,
        **{key: values[key] for key in names},
        "unknown_reason": values["unknown_reason"] or None,
        **dict(zip(EMOTIONS, values["probabilities"], strict=True)),
        **dict(zip(_RAW, values["raw_probabilities"], strict=True)),
        "polarity": None if values["polarity"] == "unknown" else values["polarity"],
        **dict(zip(_BOX, values["box"], strict=True)),
        **{key: pose.get(key) for key in _ANGLES},
        **dict(zip(_POSITION, pose.get("position", (None,) * 3), strict=True)),
        "head_pose_assumed_lens": values["head_pose_assumed_lens"] if pose else None,
        **dict(zip(_EYES, (*eyes["openness"], *gaze), strict=True)),
        "eye_quality": eyes.get("quality"),
        **{key: values["action_units"].get(key) for key in ACTION_UNITS},
        **dict(zip(LANDMARK_COLUMNS, chain(*values["landmarks"]), strict=True)),
    }


def _text(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_DIGITS.get(column, 4)}f}"
    return str(value).lower() if isinstance(value, bool) else str(value)
