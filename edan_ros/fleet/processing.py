"""What a worker does: process one recording, write its table, and then its record."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2

from edan_ros.core.faces import FrameResult
from edan_ros.core.wording import printable
from edan_ros.fleet.recordings import FleetRecording
from edan_ros.offline.bag import choose_cameras
from edan_ros.offline.loading import LoadedPipeline, load_pipeline
from edan_ros.offline.two_pass import TwoPassSmoother
from edan_ros.pipeline.config import MOST_FACES
from edan_ros.recording.files import replacing
from edan_ros.recording.summary import Summary
from edan_ros.recording.tables import ParquetTable
from edan_ros.sources import Source, SourceError, create_source
from edan_ros.sources.bag import is_bag, open_bag

#: Folders of the tables and records in the output folder.
TABLES, RECORDS = "faces", "recordings"
#: Columns that the tables of a fleet have before those of ``recording.tables``.
LABELS = ("recording", "camera")
#: Most notes of a source that are kept.
_MAX_NOTES = 10

_loaded = threading.local()


@dataclass(frozen=True, slots=True)
class Job:
    """A recording to process. out: output folder. settings: by parameters of the emotion node."""

    recording: FleetRecording
    identity: str
    out: Path
    settings: Mapping[str, Any]
    landmarks: bool = False

    @property
    def table(self) -> Path:
        """The file of its faces."""
        return self.out / TABLES / f"{self.recording.key}.parquet"

    @property
    def record(self) -> Path:
        """The file that marks it as finished or failed."""
        return self.out / RECORDS / f"{self.recording.key}.json"


@dataclass(frozen=True, slots=True)
class Record:
    """The result of one recording, apart from its table.

    Attributes:
        recording: its path.
        topic: the requested image topic, "" for all.
        identity: of the recording and the settings, see ``FleetRecording.identity``.
        error: why it failed, "" where it is finished.
        images, images_with_face, faces: numbers.
        seconds: length of the recording, of the longest camera; 0.0 for image files.
        people: number of tracks; 0 for image files.
        labels: label -> number of faces.
        model: name and version of the recogniser.
        processing_seconds: on the worker, with loading of the model.
        notes: what was skipped or damaged, a sentence each.
    """

    recording: str
    topic: str
    identity: str
    error: str = ""
    images: int = 0
    images_with_face: int = 0
    faces: int = 0
    seconds: float = 0.0
    people: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    model: str = ""
    processing_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all. Raises RecordingError."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record | None:
    """Return the record in a file; None without one, or for another format."""
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def process(job: Job) -> Record:
    """Process a recording as ``edan annotate`` does, in one thread, and return its record.

    The table is complete before the record exists, and each replaces that of an earlier run at
    once: a process that is killed leaves nothing half. Of a recording that fails, only a record
    with its error is left.
    """
    begin = time.perf_counter()
    notes: list[str] = []
    try:
        model, counts = _write_table(job, notes)
    except Exception as error:  # whatever it is, the other recordings go on
        known = isinstance(error, (RuntimeError, ValueError, OSError))
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        return fail(job, reason)
    record = Record(
        job.recording.name,
        job.recording.topic,
        job.identity,
        **counts,
        model=model,
        processing_seconds=round(time.perf_counter() - begin, 3),
        notes=list(dict.fromkeys(notes))[:_MAX_NOTES],
    )
    record.write(job.record)
    return record


def fail(job: Job, error: str) -> Record:
    """Record that a recording failed, and remove the table of an earlier run."""
    record = Record(
        job.recording.name, job.recording.topic, job.identity, printable(error) or "unknown error"
    )
    job.table.unlink(missing_ok=True)
    record.write(job.record)
    return record


def _write_table(job: Job, notes: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the model, and the fields of the record that count results."""
    loaded = _models(job.settings)
    still = job.recording.is_still
    summaries = []
    with (
        replacing(job.table) as temporary,
        ParquetTable(temporary, landmarks=job.landmarks, labels=LABELS) as table,
    ):
        for topic, source in _sources(job.recording, notes):
            labels = {"recording": job.recording.name, "camera": topic}
            summary = Summary()
            results = _analyze(loaded, source, job) if still else _track(loaded, source)
            for time_, stamp, name, result in results:
                table.add(stamp, name, result, labels)
                summary.add(time_, None, result)
            summaries.append(summary)
    manifest = loaded.engine.manifest
    counts = {
        "images": sum(summary.results for summary in summaries),
        "images_with_face": sum(summary.with_face for summary in summaries),
        "faces": sum(summary.labels.total() for summary in summaries),
        "labels": dict(sum((summary.labels for summary in summaries), Counter[str]())),
        "seconds": 0.0 if still else round(max(s.recorded_seconds for s in summaries), 3),
        "people": 0 if still else sum(len(summary.tracks) for summary in summaries),
    }
    return f"{manifest.name} {manifest.version}", counts


def _sources(recording: FleetRecording, notes: list[str]) -> Iterator[tuple[str, Source]]:
    """Yield every camera of a recording with its topic, "" for videos and images."""
    topics = [recording.topic]
    if is_bag(recording.path) and not recording.topic:
        with open_bag(recording.path) as reader:
            topics = list(choose_cameras(reader, ()))
    for topic in topics:
        source = create_source(str(recording.path), topic=topic, log=notes.append)
        if source.live:
            raise SourceError(f"{recording.path} is a camera: a fleet takes recordings only")
        yield topic, source


#: Seconds, stamp in the table, file name, result.
_Row = tuple[float, float | None, str, FrameResult]


def _track(loaded: LoadedPipeline, source: Source) -> Iterator[_Row]:
    pipeline = loaded.new_pipeline()
    smoother = TwoPassSmoother(pipeline.config, loaded.engine.manifest)
    stamps: list[tuple[float, float]] = []
    with closing(source.frames()) as frames:
        for frame in frames:
            smoother.add(frame.time, pipeline.process(frame.image, frame.time, frame.camera))
            stamp = frame.time if frame.stamp_ns is None else frame.stamp_ns * 1e-9
            stamps.append((frame.time, stamp))
    for (time_, stamp), result in zip(stamps, smoother.finish(), strict=True):
        yield time_, stamp, "", result


def _analyze(loaded: LoadedPipeline, source: Source, job: Job) -> Iterator[_Row]:
    limit = job.settings.get("max_faces", MOST_FACES)
    with closing(source.frames()) as frames:
        for frame in frames:
            result = loaded.pipeline.analyze(frame.image, max_faces=limit)
            yield frame.time, None, frame.name, result


def _models(settings: Mapping[str, Any]) -> LoadedPipeline:
    """Return the pipeline of this thread, which is loaded once.

    It uses one thread, so that as many workers as cores share a machine without waiting for each
    other, unless the settings name another number.
    """
    if getattr(_loaded, "settings", None) != settings:
        threads = settings.get("threads", 0) or 1
        cv2.setNumThreads(threads)
        _loaded.pipeline = load_pipeline({**settings, "threads": threads}, detector_threads=threads)
        _loaded.settings = settings
    pipeline: LoadedPipeline = _loaded.pipeline
    return pipeline
