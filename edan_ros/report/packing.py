"""Pack a recording for the page: arrays as base64, as many rows as a page can carry."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES, UNKNOWN_REASONS, polarity_probabilities
from edan_ros.drawing.pages import colour_code
from edan_ros.report.figures import StreamFigures
from edan_ros.report.records import LABELS, PersonTrack, Recording, Stream, away_after
from edan_ros.report.video import Video

#: Largest number of rows of all people, and of all cameras, that are packed as they are: about an
#: hour of one person at 30 images per second. Beyond, neighbours are joined.
MAX_ROWS = 120_000
#: Units of a box to the width or height of the image, and the range of the numbers.
_BOX_UNITS, _INT16 = 16_384, (-32_768, 32_767)
#: Signed byte for "not known".
_NOT_KNOWN = -128
#: Tenths of milliseconds for "not known"; larger latencies (over 6.5 s) are clipped.
_NO_LATENCY = 65_535


def page_data(
    recording: Recording,
    figures: list[StreamFigures],
    tracks: list[list[PersonTrack]],
    videos: Mapping[int, Video] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the data of the page's script, ready for JSON.

    Args:
        figures: one per stream.
        tracks: those of each stream that have curves.
        videos: by the number of the stream.
    """
    rows = sum(len(track.times) for shown in tracks for track in shown)
    images = sum(len(stream.times) for stream in recording.streams)
    tick = _tick(recording.seconds)
    return {
        "tick": tick,
        "seconds": math.ceil(1e3 * recording.seconds) / 1e3,
        "short": recording.short_limit,
        "labels": LABELS,
        "reasons": [reason.replace("_", " ") for reason in UNKNOWN_REASONS],
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
                "gaps": [[round(g.at, 3), g.missing, round(g.seconds, 3)] for g in numbers.gaps],
                **_packed_stream(stream, joined(images), tick),
                **_packed_tracks(recording, number, shown, joined(rows), tick, videos.get(number)),
            }
            for number, (stream, numbers, shown) in enumerate(
                zip(recording.streams, figures, tracks, strict=True)
            )
        ],
    }


def joined(rows: int) -> int:
    """Return the number of neighbouring rows that become one, for ``rows`` in total."""
    return -(-rows // MAX_ROWS) if rows else 1


def _packed_tracks(
    recording: Recording,
    number: int,
    shown: Sequence[PersonTrack],
    join: int,
    tick: int,
    video: Video | None,
) -> dict[str, Any]:
    """Pack the tracks with curves, and of the others what the shared row and the video show."""
    stream = recording.streams[number]
    numbers, interval = {track.number for track in shown}, stream.interval
    rest = [t for t in stream.tracks if t.number and t.number not in numbers]
    others = [(track, recording.is_short(stream, track)) for track in rest]
    others = [(track, is_short) for track, is_short in others if is_short or video is not None]
    join_others = joined(sum(len(track.times) for track, _ in others))
    packed: dict[str, Any] = {
        "tracks": [_packed_track(track, interval, join, tick, video) for track in shown],
        "others": [
            _packed_track(track, interval, join_others, tick, video, curves=False)
            | {"short": is_short}
            for track, is_short in others
        ],
    }
    if video is not None:
        packed["video"] = {
            "begin": round(video.begin, 3),
            "width": video.width,
            "height": video.height,
            # Seconds for which a result is shown with the images that follow it.
            "reach": round(1.5 * max(join, join_others) * interval, 4),
        }
    return packed


def _packed_track(
    track: PersonTrack,
    interval: float,
    join: int,
    tick: int,
    video: Video | None,
    *,
    curves: bool = True,
) -> dict[str, Any]:
    # Only neighbours of one label are joined, so that every change of label is kept.
    starts = np.concatenate(
        [np.arange(run.start, run.stop, join) for run in track.runs(interval)], dtype=np.int64
    )
    packed = {
        "number": track.number,
        "t": _base64(_ticks(track.times[starts], tick)),
        "l": _base64(track.labels[starts]),
        "u": _base64(track.reasons[starts]),
    }
    if curves:
        affect = np.stack([track.valence, track.arousal], axis=1)
        packed["p"] = _base64(
            np.round(255.0 * _means(track.probabilities, starts)).astype(np.uint8)
        )
        packed["a"] = _base64(_signed_bytes(_means(affect, starts)))
    if video is not None:
        parts = track.boxes[starts] / np.tile([video.width, video.height], 2)
        packed["b"] = _base64(np.clip(np.round(_BOX_UNITS * parts), *_INT16).astype("<i2"))
    return packed


def _packed_stream(stream: Stream, join: int, tick: int) -> dict[str, str]:
    starts = np.arange(0, len(stream.times), join)
    # The largest of the joined ones: a report must not hide a slow image.
    latency = np.fmax.reduceat(stream.latency_ms, starts) if len(starts) else np.zeros(0)
    cut = np.clip(np.round(10.0 * latency), 0, _NO_LATENCY - 1)
    return {
        "t": _base64(_ticks(stream.times[starts], tick)),
        "latency": _base64(np.where(np.isnan(latency), _NO_LATENCY, cut).astype("<u2")),
    }


def _tick(seconds: float) -> int:
    """Return the whole milliseconds of a unit of time with which a recording fits 32 bits."""
    return max(1, math.ceil(1e3 * seconds / (2**32 - 1)))


def _ticks(seconds: NDArray[np.float64], tick: int) -> NDArray[np.uint32]:
    return np.maximum(np.round(1e3 * seconds / tick), 0.0).astype("<u4")


def _means(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the means of (n, k) values, rows from each start up to the next."""
    counts = np.diff(np.append(starts, len(values)))
    return np.asarray(np.add.reduceat(values, starts, axis=0) / counts[:, None])


def _signed_bytes(values: NDArray[np.float32]) -> NDArray[np.int8]:
    """Map -1 to 1 to -127 to 127, and NaN to _NOT_KNOWN."""
    scaled = np.clip(np.round(127.0 * values), -127, 127)
    return np.where(np.isnan(scaled), _NOT_KNOWN, scaled).astype(np.int8)


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
