"""Puts a recording into the page: bytes as base64, as many rows as a page can carry."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES, polarity_probabilities
from edan_ros.drawing.faces import EMOTION_COLOURS
from edan_ros.report.figures import StreamFigures
from edan_ros.report.records import LABELS, Recording, Stream, Track, away_after

#: Rows of all people together, and of all cameras, that go into a page as they are: about an hour
#: of one person at 30 images a second. Beyond, neighbours are joined.
MOST_ROWS = 120_000
#: Signed byte that stands for "not known".
_NOT_KNOWN = -128
#: Tenths of milliseconds that stand for "not known"; larger latencies (over 6.5 s) are cut.
_NO_LATENCY = 65_535


def page_data(
    recording: Recording, figures: list[StreamFigures], tracks: list[list[Track]]
) -> dict[str, Any]:
    """What the page's script reads, ready for JSON.

    figures: one a stream. tracks: those of each stream that are shown.
    """
    rows = sum(len(track.times) for shown in tracks for track in shown)
    images = sum(len(stream.times) for stream in recording.streams)
    return {
        "seconds": math.ceil(1e3 * recording.seconds) / 1e3,
        "labels": LABELS,
        "colours": {label: colour_code(label) for label in LABELS},
        "polarities": POLARITIES,
        "polarityOf": [
            int(np.argmax(polarity_probabilities(row))) for row in np.eye(len(EMOTIONS))
        ],
        "streams": [
            {
                "name": stream.name,
                "away": away_after(stream.interval),
                "latencyOf": stream.latency_of,
                "gaps": [[round(g.at, 3), g.missing, round(g.seconds, 3)] for g in told.gaps],
                **_packed_stream(stream, joined(images)),
                "tracks": [_packed_track(t, stream.interval, joined(rows)) for t in shown],
            }
            for stream, told, shown in zip(recording.streams, figures, tracks, strict=True)
        ],
    }


def joined(rows: int) -> int:
    """How many neighbouring rows become one, for so many in all."""
    return -(-rows // MOST_ROWS) if rows else 1


def colour_code(label: str) -> str:
    """The label's colour, as in the pictures, for CSS."""
    blue, green, red = EMOTION_COLOURS[label]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _packed_track(track: Track, interval: float, join: int) -> dict[str, Any]:
    # Only neighbours of one label are joined: every change of it stays where it is.
    starts = np.concatenate(
        [np.arange(run.start, run.stop, join) for run in track.runs(interval)], dtype=np.int64
    )
    affect = np.stack([track.valence, track.arousal], axis=1)
    return {
        "number": track.number,
        "t": _base64(np.round(1e3 * track.times[starts]).astype("<u4")),
        "l": _base64(track.labels[starts]),
        "p": _base64(np.round(255.0 * _means(track.probabilities, starts)).astype(np.uint8)),
        "a": _base64(_signed_bytes(_means(affect, starts))),
    }


def _packed_stream(stream: Stream, join: int) -> dict[str, str]:
    starts = np.arange(0, len(stream.times), join)
    # The largest of those joined: a report must not hide a slow image.
    latency = np.fmax.reduceat(stream.latency_ms, starts) if len(starts) else np.zeros(0)
    cut = np.clip(np.round(10.0 * latency), 0, _NO_LATENCY - 1)
    return {
        "t": _base64(np.round(1e3 * stream.times[starts]).astype("<u4")),
        "latency": _base64(np.where(np.isnan(latency), _NO_LATENCY, cut).astype("<u2")),
    }


def _means(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, k) -> means of the rows from each start up to the next."""
    counts = np.diff(np.append(starts, len(values)))
    return np.asarray(np.add.reduceat(values, starts, axis=0) / counts[:, None])


def _signed_bytes(values: NDArray[np.float32]) -> NDArray[np.int8]:
    """-1 to 1 -> -127 to 127; NaN -> _NOT_KNOWN."""
    scaled = np.clip(np.round(127.0 * values), -127, 127)
    return np.where(np.isnan(scaled), _NOT_KNOWN, scaled).astype(np.int8)


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
