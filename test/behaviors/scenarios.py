"""Faces, snapshots and generated sequences of them for the tests of the behaviours.

A sequence is decoded from bytes, so that Hypothesis generates and shrinks it cheaply: a few
segments of a few updates each, with one kind of fault per segment.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, POLARITY_UNKNOWN, UNKNOWN, valence_arousal

WIDTH, HEIGHT = 640, 480

#: Sequences per behaviour; .ci/run sets 10,000.
SEQUENCES = int(os.environ.get("EDAN_ROS_SEQUENCES", "1000"))

#: Images that stop again and again: (seconds with images, seconds without, strength), each a few.
camera_gaps = st.lists(
    st.tuples(st.floats(0.3, 3.0), st.floats(0.9, 1.45), st.floats(0.36, 1.0)),
    min_size=5,
    max_size=20,
)

#: For a test over generated sequences: no limit on time, so that it passes on slow machines.
all_examples = settings(
    max_examples=SEQUENCES,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow,),
)

#: The same for longer sequences.
fewer_examples = settings(all_examples, max_examples=max(20, SEQUENCES // 10))

_POLARITY = {"neutral": 0, "happy": 1, "surprise": 1, "sad": 2, "fear": 2, "disgust": 2, "anger": 2}


@functools.cache
def face(
    track_id: int = 1,
    emotion: str = "neutral",
    share: float = 0.88,
    *,
    x: float = 0.5,
    y: float = 0.5,
    size: float = 0.25,
    yaw: float = 0.0,
    pitch: float = 0.0,
    distance: float | None = 1.0,
    eyes: float = 0.3,
) -> FaceSnapshot:
    """Return a face whose `emotion` has probability `share`; "unknown" for equal probabilities.

    x, y: centre as fractions of the image; size: fraction of the image's height; distance: metres.
    """
    known = emotion in EMOTIONS
    rest = (1.0 - share) / 6.0
    p = tuple(share if name == emotion else rest for name in EMOTIONS) if known else (1 / 7,) * 7
    valence, arousal = valence_arousal(p)
    side = size * HEIGHT
    return FaceSnapshot(
        track_id=track_id,
        box=Box(x * WIDTH - 0.5 * side, y * HEIGHT - 0.5 * side, side, side),
        emotion=EMOTIONS.index(emotion) if known else UNKNOWN,
        confidence=max(p),
        probabilities=p,
        polarity=_POLARITY[emotion] if known else POLARITY_UNKNOWN,
        valence=valence if known else math.nan,
        arousal=arousal if known else math.nan,
        yaw=yaw,
        pitch=pitch,
        roll=0.0 if math.isfinite(yaw) else math.nan,
        position=None if distance is None else (distance * (x - 0.5), 0.0, distance),
        eye_aspect_ratio=eyes,
    )


def snapshot(stamp: float, *faces: FaceSnapshot) -> Snapshot:
    """Return a snapshot of these faces."""
    return Snapshot(stamp, WIDTH, HEIGHT, faces)


def invalid_faces() -> list[FaceSnapshot]:
    """Return faces that every behaviour must drop, one for each kind of fault."""
    good = face()
    nan = math.nan
    return [
        replace(good, track_id=0),
        replace(good, box=Box(nan, 0.0, 10.0, 10.0)),
        replace(good, box=Box(0.0, 0.0, math.inf, 10.0)),
        replace(good, box=Box(0.0, 0.0, 10.0, 0.0)),
        replace(good, emotion=7),
        replace(good, emotion=-1),
        replace(good, polarity=3),
        replace(good, confidence=nan),
        replace(good, confidence=1.5),
        replace(good, probabilities=(1.0,)),
        replace(good, probabilities=(nan,) * 7),
        replace(good, probabilities=(0.0,) * 7),
        replace(good, probabilities=(2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
        replace(good, position=(nan, 0.0, 1.0)),
    ]


@dataclass(slots=True)
class Update:
    """One update: the time, and the snapshot that arrives then, if any."""

    now: float
    snapshot: Snapshot | None


_LOOKS = ("fear", "neutral", "happy", "sad", "fear", "surprise", "disgust", "anger", "unknown")
_SHARES = (0.95, 0.6, 0.95, 0.3)
#: Seconds between updates: mostly usual rates, then pauses, and a clock that stands or jumps.
_INTERVALS = (0.25, 0.4, 0.1, 0.4, 0.4, 0.25, 0.05, 0.9, 0.0)
_JUMPS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1e6, -0.3, -7.0, -1e6)
#: The fault of the stamps of a segment.
_STAMPS = ("good",) * 8 + ("delayed", "stale", "future", "repeated", "backward")


def _faces(kind: int, look: int, flicker: bool) -> tuple[FaceSnapshot, ...]:
    """Return one of the sets of faces; `flicker`: with its other emotion."""
    name = _LOOKS[(look + (3 if flicker else 0)) % len(_LOOKS)]
    other = _LOOKS[(look // 3) % len(_LOOKS)]
    share = _SHARES[look % 4]
    # Positions, angles and eyes vary with the look, so that every branch is reached.
    yaw = (0.0, 0.9, -0.5, math.nan)[look // 2 % 4]
    eyes = (0.3, 0.1, 0.28, math.nan)[look // 4 % 4]
    first = face(1, name, share, x=0.7, yaw=yaw, eyes=eyes, size=0.3)
    if kind in (0, 6):
        return (first,)
    if kind == 1:
        return (first, face(2, other, 0.95, x=0.25, distance=None))
    if kind == 2:  # the same person under a new track
        return (face(100 + look, name, share, x=0.71, size=0.3),)
    if kind == 3:  # there and not there
        return () if flicker else (first,)
    if kind == 4:
        return (first, *_invalid())
    if kind == 5:
        return ()
    return tuple(face(10 + i, _LOOKS[(i + look) % 9], x=i / 30, size=0.08) for i in range(30))


@functools.cache
def _invalid() -> tuple[FaceSnapshot, ...]:
    return tuple(invalid_faces())


def updates(data: bytes) -> Iterator[Update]:
    """Yield the sequence that bytes encode: segments of five bytes each."""
    now = 1000.0
    for start in range(0, len(data) - 4, 5):
        kind, look, count, interval, trouble = data[start : start + 5]
        flickers = kind & 64
        kind &= 7
        now += _JUMPS[trouble // 16 % len(_JUMPS)]
        stamps = _STAMPS[trouble % len(_STAMPS)]
        first = now
        for i in range(2 if kind == 7 else 4 + count % 6):
            now += _INTERVALS[interval % len(_INTERVALS)]
            stamp = {
                "good": now,
                "delayed": now - 0.3,
                "stale": now - 20.0,
                "future": now + 20.0,
                "repeated": first,
                "backward": now - 0.11 * i,
            }[stamps]
            faces = _faces(kind, look, bool(flickers and i % 2))
            yield Update(now, snapshot(stamp, *faces) if count & 128 == 0 or i % 2 else None)


#: Bytes for `updates`: two to seven segments.
sequences = st.binary(min_size=10, max_size=35)
