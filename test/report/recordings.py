"""Makes recordings for the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_LABEL

BEGIN = 1_700_000_000
SECOND = 10**9
#: A face of 40 pixels at (30, 20), as landmarks.
LANDMARKS = np.stack(
    [30 + 40 * np.linspace(0, 1, 68), 20 + 40 * np.abs(np.sin(np.linspace(0, 9, 68)))], axis=1
)


def face(label: str = "happy", track_id: int = 1, share: float = 0.7) -> dict[str, Any]:
    """A face of a line; the label has the given probability."""
    emotion = 0 if label == UNKNOWN_LABEL else EMOTIONS.index(label)
    probabilities = [round((1.0 - share) / 6, 4)] * 7
    probabilities[emotion] = share
    return {
        "track_id": track_id,
        "roi": [30, 20, 40, 40],
        "label": label,
        "confidence": share,
        "probabilities": probabilities,
        "presence": 0.99,
        "unknown_reason": "turned_away" if label == UNKNOWN_LABEL else "",
        "landmarks": LANDMARKS.round(2).tolist(),
    }


def line(seconds: float, *faces: dict[str, Any], latency_ms: float | None = 20.0) -> str:
    """A line, its stamp so many seconds after BEGIN."""
    stamp = round(BEGIN + seconds, 6)
    return json.dumps({"stamp": stamp, "latency_ms": latency_ms, "faces": list(faces)})


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return path


def smile(path: Path, rate: float = 10.0) -> Path:
    """Person 1 for 4 s: neutral, happy from 2 s on. Person 2 from 1 s to 2 s, sad."""
    lines = []
    for i in range(round(4 * rate)):
        t = i / rate
        faces = [face("neutral" if t < 2.0 else "happy", 1)]
        if 1.0 <= t < 2.0:
            faces.append(face("sad", 2))
        lines.append(line(t, *faces))
    return write_lines(path, lines)


def long_recording(path: Path, seconds: float, people: int = 2, rate: float = 30.0) -> Path:
    """People whose emotions wander, at all times in view, as a real run of that length."""
    rng = np.random.default_rng(7)
    shares = np.full((people, 7), 1 / 7)
    wanted = np.zeros(people, int)
    landmarks = json.dumps(LANDMARKS.round(2).tolist())
    rows = []
    for i in range(round(seconds * rate)):
        for person in np.flatnonzero(rng.random(people) < 0.01):
            wanted[person] = rng.integers(7)
        shares = 0.93 * shares + 0.07 * (0.1 / 7 + 0.9 * np.eye(7)[wanted])
        shares /= shares.sum(axis=1, keepdims=True)
        faces = ", ".join(
            f'{{"track_id": {number}, "roi": [30, 20, 40, 40], "label": "{EMOTIONS[p.argmax()]}", '
            f'"probabilities": {p.round(4).tolist()}, "landmarks": {landmarks}}}'
            for number, p in enumerate(shares, 1)
        )
        latency = round(float(rng.gamma(6, 3)), 2)
        stamp = round(BEGIN + i / rate, 6)
        rows.append(f'{{"stamp": {stamp}, "latency_ms": {latency}, "faces": [{faces}]}}')
    return write_lines(path, rows)
