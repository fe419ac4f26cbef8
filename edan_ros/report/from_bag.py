"""Reads recorded topics of faces, and what was recorded beside them."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from edan_ros.core.emotions import EMOTIONS
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
)
from edan_ros.sources import SourceError
from edan_ros.sources.bag import IMAGES
from edan_ros.sources.bag_reader import BagReader, Message

DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
#: What the emotion node draws has the stamps of the results, but is not what they were made from.
_DRAWN = "/annotated"
#: Milliseconds that a real latency lies between. Less has what was worked out afterwards and put
#: beside its image; more comes of clocks that differ, or of stamps of another day.
_LATENCIES = (0.05, 60_000.0)

#: Stamp -> when the message was recorded, both in nanoseconds.
_Times = dict[int, int]


def read_bag(path: Path) -> Recording:
    """The recording in a bag: one stream for each topic of faces.

    Raises SourceError where the bag cannot be read or has no faces.
    """
    with BagReader(path) as reader:
        kinds = {name: topic.kind for name, topic in reader.topics.items()}
        if FACES not in kinds.values():
            raise SourceError(
                f"{path} holds no topic of faces ({FACES}): record one from the emotion node, or "
                f"let `edan bag {path}` add it"
            )
        found = _Found(reader)
        for message in reader.messages(found.wanted(kinds)):
            found.take(message, kinds[message.topic])
        damage = reader.damage
    streams = {name: builder for name, builder in found.builders.items() if len(builder)}
    if not streams:
        raise SourceError(f"{path}: not one message can be read on {', '.join(found.builders)}")
    info = read_run_info(path if path.is_dir() else path.parent)
    begin = min(builder.begin_ns for builder in streams.values())
    return Recording(
        str(path),
        begin,
        [_build(builder, begin, found) for builder in streams.values()],
        found.model or info.model,
        info.settings,
        list(found.diagnostics.values()),
        [f"{line}." for line in damage] + found.notes(),
    )


class _Found:
    """What one pass through the bag collects."""

    def __init__(self, reader: BagReader) -> None:
        self._store = _store(reader)
        self.builders: dict[str, StreamBuilder] = {}
        self.recorded: dict[str, _Times] = defaultdict(dict)
        self.images: dict[str, _Times] = defaultdict(dict)
        self.model: dict[str, str] = {}
        self.diagnostics: dict[str, Status] = {}
        self._damaged = 0

    def wanted(self, kinds: dict[str, str]) -> list[str]:
        """The topics to read."""
        self.builders = {name: StreamBuilder(name) for name, kind in kinds.items() if kind == FACES}
        known = {FACES, MODEL_INFO, DIAGNOSTICS, *IMAGES}
        return [n for n, kind in kinds.items() if kind in known and not n.endswith(_DRAWN)]

    def take(self, message: Message, kind: str) -> None:
        """One more message."""
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
        """What was left out, a sentence each."""
        notes = [
            f"{name}: {builder.repeated} result(s) with a stamp that was there before: left out."
            for name, builder in self.builders.items()
            if builder.repeated
        ]
        if self._damaged:
            notes.append(f"{self._damaged} damaged message(s) were left out.")
        return notes


def _store(reader: BagReader) -> Typestore:
    """Reads messages of this package as the bag defines them, else as they are installed."""
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


def _build(builder: StreamBuilder, begin: int, found: _Found) -> Stream:
    """The stream of one topic, with the images that belong to it and the latency."""
    recorded = found.recorded[builder.name]
    shared = {topic: len(stamps.keys() & recorded.keys()) for topic, stamps in found.images.items()}
    topic = max(shared, key=lambda name: shared[name], default="")
    if not topic or not shared[topic]:
        return _with_latency(builder.build(begin), recorded, {s: s for s in recorded}, "stamped")
    images = found.images[topic]
    stream = builder.build(begin, list(images))
    stream.image_topic = topic
    return _with_latency(stream, recorded, images, "recorded")


def _with_latency(stream: Stream, recorded: _Times, began: _Times, what: str) -> Stream:
    """Fills in the time from each image to its result, where the recorder's clock tells it.

    A recording that was worked on afterwards has its results at the time of the images, and one
    with stamps of another day has them far off: then the latency is not known.
    """
    late = [1e-6 * (recorded[s] - began[s]) if s in began else math.nan for s in sorted(recorded)]
    latency = np.array(late, np.float64)
    known = latency[np.isfinite(latency)]
    if len(known) and _LATENCIES[0] < np.median(known) < _LATENCIES[1]:
        stream.latency_ms = latency
        stream.latency_of = f"image {what} to faces recorded"
    return stream


def _stamp_of(data: bytes) -> int:
    """The stamp in the header that a serialised message (CDR) begins with, nanoseconds; 0: none.

    Only these bytes are read: what follows are megabytes of pixels.
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
        np.asarray(face.probabilities, np.float32),
        float(face.valence),
        float(face.arousal),
        (float(roi.x_offset), float(roi.y_offset), float(roi.width), float(roi.height)),
        np.stack([face.landmarks_x, face.landmarks_y], axis=1).astype(np.float32),
    )


def _status(record: Any) -> Status:
    level = record.level if isinstance(record.level, int) else ord(record.level)
    values = {pair.key: pair.value for pair in record.values}
    return Status(record.name, LEVELS[min(level, len(LEVELS) - 1)], record.message, values)
