"""Read recorded topics of faces, and the images, model and diagnostics beside them."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_REASONS
from edan_ros.recording.certificate import describe_certificate, read_certificate
from edan_ros.recording.definitions import FACES, MODEL_INFO, Definitions
from edan_ros.recording.run_info import describe_model, read_run_info
from edan_ros.report.records import (
    LEVELS,
    UNKNOWN_INDEX,
    Recording,
    Sample,
    Status,
    Stream,
    StreamBuilder,
    TimeAxis,
    jump_notes,
    time_axis,
)
from edan_ros.sources import SourceError
from edan_ros.sources.bag import IMAGES
from edan_ros.sources.bag_reader import BagReader, Message

DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
#: Suffix of annotated images, which have the stamps of results but are not their origin.
_ANNOTATED = "/annotated"
#: Range of a real latency in milliseconds. Results that were computed afterwards and stored beside
#: their images have less; clocks that differ give more.
_LATENCIES = (0.05, 60_000.0)

#: Stamp -> time of recording, both in nanoseconds.
_Times = dict[int, int]


def read_bag(path: Path) -> Recording:
    """Return the recording in a bag: one stream per topic of faces.

    Raises SourceError where the bag cannot be read or has no faces.
    """
    with BagReader(path) as reader:
        kinds = {name: topic.kind for name, topic in reader.topics.items()}
        if FACES not in kinds.values():
            raise SourceError(
                f"{path} has no topic of faces ({FACES}): record one from the emotion node, or "
                f"let `edan bag {path}` add it"
            )
        found = _Contents(reader)
        for message in reader.messages(found.wanted(kinds)):
            found.add(message, kinds[message.topic])
        damage = reader.damage
    streams = {name: builder for name, builder in found.builders.items() if len(builder)}
    if not streams:
        raise SourceError(f"{path}: no message can be read on {', '.join(found.builders)}")
    folder = path if path.is_dir() else path.parent
    info, certificate = read_run_info(folder), read_certificate(folder)
    privacy = [describe_certificate(certificate)] if certificate else []
    axis = time_axis(list(streams.values()))
    return Recording(
        str(path),
        min(builder.epoch_stamps[0] for builder in streams.values())[1],
        [_build(builder, axis, found) for builder in streams.values()],
        found.model or info.model,
        info.settings,
        list(found.diagnostics.values()),
        privacy + [f"{line}." for line in damage] + found.notes() + jump_notes(axis),
        axis,
    )


class _Contents:
    """Collects the messages of one pass through the bag."""

    def __init__(self, reader: BagReader) -> None:
        self._store = _store(reader)
        self.builders: dict[str, StreamBuilder] = {}
        self.recorded: dict[str, _Times] = defaultdict(dict)
        self.images: dict[str, _Times] = defaultdict(dict)
        self.model: dict[str, str] = {}
        self.diagnostics: dict[str, Status] = {}
        self._damaged = 0

    def wanted(self, kinds: dict[str, str]) -> list[str]:
        """Return the topics to read."""
        self.builders = {name: StreamBuilder(name) for name, kind in kinds.items() if kind == FACES}
        known = {FACES, MODEL_INFO, DIAGNOSTICS, *IMAGES}
        return [n for n, kind in kinds.items() if kind in known and not n.endswith(_ANNOTATED)]

    def add(self, message: Message, kind: str) -> None:
        """Add a message."""
        if kind in IMAGES:
            stamp = _stamp_of(message.data) or message.time
            self.images[message.topic][stamp] = message.time
            return
        try:
            record: Any = self._store.deserialize_cdr(message.data, kind)
        except Exception:  # rosbags does not check what it reads: damage raises all kinds
            self._damaged += 1
            return
        if kind == FACES:
            stamp = record.header.stamp.sec * 10**9 + record.header.stamp.nanosec or message.time
            self.builders[message.topic].add(stamp, [_sample(f) for f in record.faces], None)
            self.recorded[message.topic].setdefault(stamp, message.time)
        elif kind == MODEL_INFO:
            self.model = describe_model(record)
        else:
            self.diagnostics |= {status.name: _status(status) for status in record.status}

    def notes(self) -> list[str]:
        """Return what was left out, a sentence each."""
        notes = [
            f"{name}: {builder.repeated} result(s) with a repeated stamp were left out."
            for name, builder in self.builders.items()
            if builder.repeated
        ]
        if self._damaged:
            notes.append(f"{self._damaged} damaged message(s) were left out.")
        return notes


def _store(reader: BagReader) -> Typestore:
    """Return a store with the messages of this package as in the bag, else as installed."""
    store = get_typestore(Stores.LATEST)
    for kind in (FACES, MODEL_INFO):
        texts = (topic.definition for topic in reader.topics.values() if topic.kind == kind)
        text = next(filter(None, texts), "")
        if not text:
            installed = Definitions().of(kind)
            text = installed.text if installed is not None else ""
        types = get_types_from_msg(text, kind) if text else {}
        store.register({name: of for name, of in types.items() if name not in store.fielddefs})
    return store


def _build(builder: StreamBuilder, axis: TimeAxis, found: _Contents) -> Stream:
    """Return the stream of one topic, with the images that belong to it and the latency."""
    recorded = found.recorded[builder.name]
    shared = {topic: len(stamps.keys() & recorded.keys()) for topic, stamps in found.images.items()}
    topic = max(shared, key=lambda name: shared[name], default="")
    if not topic or not shared[topic]:
        return _with_latency(
            builder.build(axis), builder, recorded, {s: s for s in recorded}, "stamped"
        )
    images = found.images[topic]
    stream = builder.build(axis, list(images))
    stream.image_topic = topic
    return _with_latency(stream, builder, recorded, images, "recorded")


def _with_latency(
    stream: Stream, builder: StreamBuilder, recorded: _Times, began: _Times, origin: str
) -> Stream:
    """Fill in the time from each image to its result, by the clock of the recorder.

    Where the results were computed afterwards they have the time of the images, and where clocks
    differ they are far off: then the latency is not known.
    """
    stamps = [stamp for _, stamp in builder.epoch_stamps]
    delays = [1e-6 * (recorded[s] - began[s]) if s in began else math.nan for s in stamps]
    latency = np.array(delays, np.float64)
    known = latency[np.isfinite(latency)]
    if len(known) and _LATENCIES[0] < np.median(known) < _LATENCIES[1]:
        stream.latency_ms = latency
        stream.latency_of = f"image {origin} to faces recorded"
    return stream


def _stamp_of(data: bytes) -> int:
    """Return the stamp of the header of a serialised message (CDR), nanoseconds; 0 for none.

    Only these bytes are read: megabytes of pixels follow.
    """
    if len(data) < 12:
        return 0
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 10**9 + int(nanoseconds)


def _sample(face: Any) -> Sample:
    roi = face.roi
    label = face.emotion if face.emotion < len(EMOTIONS) else UNKNOWN_INDEX
    return Sample(
        int(face.track_id),
        int(label),
        np.asarray(face.probabilities, np.float32).tolist(),
        float(face.valence),
        float(face.arousal),
        (float(roi.x_offset), float(roi.y_offset), float(roi.width), float(roi.height)),
        np.stack([face.landmarks_x, face.landmarks_y], axis=1).astype(np.float32),
        _reason(getattr(face, "unknown_reason", 0)),  # not in messages of version 0.5 and before
    )


def _reason(number: int) -> int:
    return int(number) if number < len(UNKNOWN_REASONS) else 0


def _status(record: Any) -> Status:
    level = record.level if isinstance(record.level, int) else ord(record.level)
    values = {pair.key: pair.value for pair in record.values}
    return Status(record.name, LEVELS[min(level, len(LEVELS) - 1)], record.message, values)
