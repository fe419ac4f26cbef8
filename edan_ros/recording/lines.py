"""Results as lines of JSON."""

from __future__ import annotations

import json

from edan_ros.core.faces import FrameResult


def result_line(
    stamp_ns: int | None, latency: float | None, result: FrameResult, file: str = ""
) -> str:
    """Return the result of one image as one line of JSON, without the line's end.

    Args:
        stamp_ns: of the image, nanoseconds, None for an image file; the line has seconds, or null.
        latency: seconds from the publication of the image to the arrival of its result; the line
            has milliseconds, or null.
        file: name of an image file; the line has no such entry without one.

    Returns:
        An object with ``file``, ``stamp``, ``latency_ms`` and ``faces``, each as of
        ``Face.to_dict()``.
    """
    record = {
        **({"file": file} if file else {}),
        "stamp": None if stamp_ns is None else round(stamp_ns * 1e-9, 6),
        "latency_ms": None if latency is None else round(latency * 1e3, 2),
        "faces": [face.to_dict() for face in result.faces],
    }
    return json.dumps(record, separators=(", ", ": "), allow_nan=False)
