"""Read faces.jsonl: the result of one image per line, as recording/run_folder.py writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_REASONS, valence_arousal
from edan_ros.recording.run_info import read_run_info
from edan_ros.report.records import (
    LABELS,
    Recording,
    Sample,
    StreamBuilder,
    jump_notes,
    time_axis,
)
from edan_ros.sources import SourceError

_LATENCY = "image published to faces received"


def read_lines(path: Path) -> Recording:
    """Return the recording in a file of lines of JSON, with model and settings of the run.

    A line that cannot be read, such as the last one of a killed run, is skipped and noted. Raises
    SourceError where no line can be read.
    """
    stream = StreamBuilder("")
    faults: list[str] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    stream.add(*_result(json.loads(line), number))
                except (ValueError, RecursionError) as error:
                    faults.append(f"line {number}: {_summary(error)}")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    if not len(stream):
        reason = f" ({faults[0]})" if faults else ": it is empty"
        raise SourceError(
            f"{path} has no results{reason}; give the faces.jsonl that `edan demo` or "
            "`edan annotate` writes, or a bag with a topic of faces"
        )
    notes = []
    if faults:
        notes.append(f"{len(faults)} line(s) could not be read, the first: {faults[0]}.")
    if stream.repeated:
        notes.append(f"{stream.repeated} result(s) with a repeated stamp were left out.")
    axis, info = time_axis([stream]), read_run_info(path.parent)
    built = stream.build(axis)
    built.latency_of = _LATENCY
    begin = stream.epoch_stamps[0][1]
    notes += jump_notes(axis)
    return Recording(str(path), begin, [built], info.model, info.settings, notes=notes, axis=axis)


def _result(record: Any, number: int) -> tuple[int, list[Sample], float | None, str]:
    """Return stamp, faces, latency and file of a line. Raises ValueError for any other content.

    Files of single images have no stamp: the number of the line puts them in order.
    """
    if (
        not isinstance(record, dict)
        or not ({"stamp", "file"} & record.keys())
        or "faces" not in record
    ):
        raise ValueError("not a result: it has no stamp and faces")
    faces, latency, file = record["faces"], record.get("latency_ms"), str(record.get("file", ""))
    stamp = record.get("stamp")
    if stamp is None and file:
        stamp = float(number)
    if not isinstance(faces, list):
        raise ValueError("faces is not a list")
    if latency is not None:
        latency = _number(latency, "latency_ms")
    samples = [_sample(face) for face in faces]
    return round(_number(stamp, "stamp") * 1e9), samples, latency, file


def _sample(face: Any) -> Sample:
    if not isinstance(face, dict):
        raise ValueError("a face is not an object")
    label, track = face.get("label"), face.get("track_id")
    if label not in LABELS:
        raise ValueError(f"unknown label {str(label)[:20]!r}")
    if type(track) is not int or not 0 <= track < 2**32:
        raise ValueError("track_id is not a number from 0 up")
    probabilities = _numbers(face.get("probabilities"), len(EMOTIONS), "probabilities")
    if not all(0.0 <= p <= 1.0 for p in probabilities):
        raise ValueError("probabilities are not between 0 and 1")
    x, y, width, height = _numbers(face.get("roi"), 4, "roi")
    valence, arousal = valence_arousal(np.array(probabilities))
    if "valence" in face:  # not in lines of version 0.5 and before
        valence, arousal = (
            math.nan if face.get(name) is None else _number(face[name], name)
            for name in ("valence", "arousal")
        )
    return Sample(
        track,
        LABELS.index(label),
        probabilities,
        valence,
        arousal,
        (x, y, width, height),
        _landmarks(face.get("landmarks")),
        _reason(face.get("unknown_reason", "")),
    )


def _reason(name: Any) -> int:
    return UNKNOWN_REASONS.index(name) if name in UNKNOWN_REASONS else 0


def _landmarks(points: Any) -> NDArray[np.float32]:
    try:
        landmarks = np.array(points, np.float32)
    except (TypeError, ValueError):
        landmarks = np.zeros(0, np.float32)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise ValueError("landmarks are not 68 points")
    return landmarks


def _numbers(values: Any, count: int, name: str) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{name} is not a list of {count} numbers")
    return [_number(value, name) for value in values]


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    return float(value)


def _summary(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    return str(error) or type(error).__name__
