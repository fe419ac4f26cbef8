"""Results as lines of JSON."""

from __future__ import annotations

import json
from typing import Any

from edan_ros.core.faces import Face, FrameResult


def result_line(stamp_ns: int, latency: float | None, result: FrameResult, file: str = "") -> str:
    """One image's result as one line of JSON, without the line's end.

    stamp_ns: of the image, nanoseconds; the line gives seconds. latency: seconds from the
    publication of the image to the arrival of its result; the line gives milliseconds, or null.
    file: name of the picture, where it is one; the line has no such entry otherwise.
    """
    record = {
        **({"file": file} if file else {}),
        "stamp": round(stamp_ns * 1e-9, 6),
        "latency_ms": None if latency is None else round(latency * 1e3, 2),
        "faces": [_face(face) for face in result.faces],
    }
    return json.dumps(record, separators=(", ", ": "), allow_nan=False)


def _face(face: Face) -> dict[str, Any]:
    box = face.box
    return {
        "track_id": int(face.track_id),
        "roi": [round(v) for v in (box.x, box.y, box.width, box.height)],
        "label": face.label,
        "confidence": round(float(face.confidence), 4),
        "probabilities": [round(float(p), 4) for p in face.probabilities],
        "presence": round(float(face.presence), 4),
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
    }
