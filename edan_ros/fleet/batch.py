"""The output folder of a fleet: what is left to do, and the tables and the report of all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edan_ros
from edan_ros.core.emotions import EMOTIONS, UNKNOWN_LABEL
from edan_ros.engines import Manifest
from edan_ros.fleet.processing import RECORDS, TABLES, Job, Record, read_record
from edan_ros.fleet.recordings import FleetRecording
from edan_ros.recording.files import remove_unfinished, replacing

#: One row per recording.
SUMMARY = "recordings.parquet"
_LABELS = (*EMOTIONS, UNKNOWN_LABEL)


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        jobs: recordings to process.
        finished: records of recordings that an earlier run finished.
        failed: records of those that failed in an earlier run, and are not tried again.
    """

    jobs: Sequence[Job]
    finished: Sequence[Record]
    failed: Sequence[Record]


def plan_jobs(
    recordings: Sequence[FleetRecording],
    out: Path,
    settings: Mapping[str, Any],
    model: Manifest,
    *,
    landmarks: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Compare recordings with the records in the output folder.

    A record counts as long as recording, settings, model and version of the package are the same.

    Args:
        settings: by parameters of the emotion node; the model by name, not "auto".
        model: its manifest.
        landmarks: whether the tables have the 68 landmarks.
        retry_failed: whether to try recordings again that failed.
    """
    remove_unfinished(out / TABLES)
    remove_unfinished(out / RECORDS)
    same = {**settings, "sha256": model.sha256, "version": edan_ros.__version__}
    same["landmarks"] = landmarks
    plan: tuple[list[Job], list[Record], list[Record]] = [], [], []
    jobs, finished, failed = plan
    for recording in recordings:
        job = Job(recording, recording.identity(same), out.resolve(), settings, landmarks)
        record = read_record(job.record)
        if record is None or record.identity != job.identity:
            jobs.append(job)
        elif record.error:
            jobs.append(job) if retry_failed else failed.append(record)
        elif job.table.is_file():
            finished.append(record)
        else:
            jobs.append(job)
    return Plan(*plan)


def read_records(out: Path) -> list[Record]:
    """Return the records of all runs into a folder, sorted by recording."""
    found = (read_record(path) for path in (out / RECORDS).glob("*.json"))
    records = [record for record in found if record is not None]
    return sorted(records, key=lambda record: (record.recording, record.topic))


def write_summary(out: Path, records: Sequence[Record]) -> Path:
    """Write one row per recording as Parquet and return the file.

    Raises ModuleNotFoundError without pyarrow, RecordingError where it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    text, whole, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    kinds = {
        **dict.fromkeys(("recording", "topic", "error"), text),
        **dict.fromkeys(("images", "images_with_face", "faces", "people"), whole),
        **dict.fromkeys(("seconds", *_LABELS), real),
        **dict.fromkeys(("mostly", "model"), text),
        "processing_seconds": real,
        "notes": text,
    }
    rows = [_row(record) for record in records]
    table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(list(kinds.items())))
    path = out / SUMMARY
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
    return path


def mostly(labels: Mapping[str, int]) -> str:
    """Return the most frequent emotion of a recording, "" without any."""
    known = {label: count for label, count in labels.items() if label in EMOTIONS and count}
    return max(known, key=known.__getitem__, default="")


def _row(record: Record) -> dict[str, Any]:
    """Return the values of all columns: of a recording that failed, None for what is unknown."""
    names = {"recording": record.recording, "topic": record.topic or None}
    if record.error:
        return {**names, "error": record.error}
    count = max(record.faces, 1)
    shares = {label: record.labels.get(label, 0) / count for label in _LABELS}
    figures = ("images", "images_with_face", "faces", "people", "seconds", "processing_seconds")
    return {
        **names,
        **{name: getattr(record, name) for name in figures},
        **(shares if record.faces else {}),
        "mostly": mostly(record.labels) or None,
        "model": record.model,
        "notes": "; ".join(record.notes) or None,
    }
