"""When the next frame of a recording is due."""

from __future__ import annotations


class Schedule:
    """Plays recorded times back on a clock, without ever catching up in a burst.

    A frame that comes late (a slow disk, a slow listener) moves all later ones by as much: the
    gaps between frames are never shorter than recorded.
    """

    def __init__(self) -> None:
        self._begin: float | None = None
        #: Seconds by which the frames have been moved so far.
        self.delay = 0.0

    def due(self, time: float, now: float) -> float:
        """The clock's time, not before ``now``, at which the frame of ``time`` is to be shown.

        time: seconds since the first frame, as recorded. now: the clock, seconds.
        """
        if self._begin is None:
            self._begin = now - time
        late = now - (self._begin + time)
        if late > 0.0:
            self._begin += late
            self.delay += late
        return self._begin + time
