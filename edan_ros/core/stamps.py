"""The rule for jumps in time stamps: a recording is split into segments where they jump.

A clock that is set, a recorder that pauses, or a looped playback makes stamps go back or jump
ahead. Videos, reports, playback and the figures of a bag show the segments one after the other,
``SEGMENT_PAUSE`` apart, instead of hours of nothing or images in the wrong order.
"""

from __future__ import annotations

from collections.abc import Callable

#: Seconds assumed between images with equal stamps, as published by drivers that set none.
NOMINAL_STEP = 1.0 / 30.0
#: Seconds from the newest stamp to the next one above which a new segment begins.
MAX_GAP = 60.0
#: Intervals above which a new segment begins, where images are farther apart than usual.
MAX_GAP_INTERVALS = 20.0
#: Seconds by which a stamp may precede the newest one: images that overtake each other, not a clock
#: that was set.
MAX_STEP_BACK = 0.2
#: Seconds from the end of a segment to the start of the next.
SEGMENT_PAUSE = 1.0
#: The same in intervals, where images are farther apart than usual.
_PAUSE_INTERVALS = 4.0


def is_jump(step: float, interval: float = 0.0) -> bool:
    """Return whether a new segment begins.

    Args:
        step: seconds from the newest stamp of the segment to the next one.
        interval: seconds between two images as a rule, 0 where that is not known.
    """
    return not -MAX_STEP_BACK <= step <= max(MAX_GAP, MAX_GAP_INTERVALS * interval)


def describe_jump(step: float) -> str:
    """Return a sentence about a jump by ``step`` seconds, without its end."""
    direction = "ahead" if step > 0 else "back"
    return f"the stamps jump {direction} by {_duration(abs(step))}: a new segment begins"


class SegmentClock:
    """Time without jumps: places each stamp of a recording after those before it.

    Args:
        interval: as for ``is_jump``.
        on_jump: receives a sentence for each jump.

    Attributes:
        seconds: time of the latest place.
        jumps: steps in seconds at which segments began.
    """

    def __init__(self, interval: float = 0.0, on_jump: Callable[[str], None] | None = None) -> None:
        self.seconds = 0.0
        self.jumps: list[float] = []
        self._interval = interval
        self._on_jump = on_jump
        self._origin = 0.0
        self._newest: float | None = None  # stamp of the segment

    def place(self, stamp: float) -> float:
        """Return the seconds since the first stamp, less the jumps.

        Within ``MAX_STEP_BACK`` a stamp may be placed before its predecessor.
        """
        if self._newest is None:
            self._origin = self._newest = stamp
        elif is_jump(stamp - self._newest, self._interval):
            self.jumps.append(stamp - self._newest)
            if self._on_jump is not None:
                self._on_jump(describe_jump(stamp - self._newest))
            pause = max(SEGMENT_PAUSE, _PAUSE_INTERVALS * self._interval)
            self._origin = stamp - self.seconds - pause
            self._newest = stamp
        self._newest = max(self._newest, stamp)
        place = stamp - self._origin
        self.seconds = max(self.seconds, place)
        return place


def _duration(seconds: float) -> str:
    """Return 5.0 s, 3 min 20 s, 7 h 5 min, or 12 days."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{seconds / 86_400.0:.0f} days"
