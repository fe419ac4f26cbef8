"""Play a source like a camera: in time, in a loop, and again after an outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from edan_ros.core.stamps import SegmentClock
from edan_ros.sources.base import SourceError


class Playable(Protocol):
    """Anything whose frames have a time, a Source for example."""

    @property
    def rate(self) -> float:
        """Frames per second, 0.0 where that is not known."""
        ...

    @property
    def live(self) -> bool:
        """Whether the frames come at their own pace."""
        ...

    def frames(self) -> Generator[Any, None, None]:
        """Yield frames with their ``time``, seconds since the first; as Source.frames."""
        ...


@dataclass(frozen=True)
class PlayOptions:
    """How to play.

    Attributes:
        rate: frames per second, 0.0 for the recorded times.
        loop: start over at the end.
        retry: seconds between two attempts to open a missing source.
    """

    rate: float = 0.0
    loop: bool = False
    retry: float = 2.0


class Listener:
    """Callbacks of a player, on the player's thread; the defaults do nothing."""

    def ready(self) -> bool:
        """Return whether the first frame may be shown; called repeatedly until it is true."""
        return True

    def show(self, frame: Any, time: float, begins: bool) -> None:
        """Show a frame that is due.

        Args:
            time: recorded seconds since the source began, over all loops. Jumps with the stamps.
            begins: whether it is the first since the source was opened.
        """

    def lost(self, reason: str) -> None:
        """Handle the start of an outage: the source is missing."""

    def found(self, outage: float) -> None:
        """Handle the end of an outage. outage: its seconds."""

    def ended(self) -> None:
        """Handle the end of the source, after its last frame."""

    def failed(self, error: Exception) -> None:
        """Handle an unexpected error that ends the player's thread; raised again by default."""
        raise error

    def gone(self) -> bool:
        """Return whether the listener is shut down, so that a failing callback is no error."""
        return False


class Player:
    """Reads a source on a thread of its own and shows each frame when it is due.

    Frames of a recording are never skipped and never shown in a burst: one that is late (a slow
    disk, a slow listener) delays all later ones by as much. Where the recorded times jump
    (``core.stamps``), playback goes on with the next segment. Frames of a live source are shown as
    they come; a lower ``rate`` drops some.

    Args:
        open_source: returns the source, or raises SourceError; called until it succeeds.

    Attributes:
        delay: seconds by which frames have been shown later than recorded, in total.
    """

    def __init__(
        self, open_source: Callable[[], Playable], options: PlayOptions, listener: Listener
    ) -> None:
        self._open_source = open_source
        self._options = options
        self._listener = listener
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self._lost_at: float | None = None
        self.delay = 0.0
        self._shift = 0.0  # clock minus due time of a frame that is on time

    def start(self) -> None:
        """Start playing."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Show no more frames, and wait until the thread has ended.

        timeout: seconds after which a thread that hangs in a camera's driver is abandoned.
        """
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    @property
    def stopping(self) -> bool:
        """Whether stop() was called: a callback that waits is to return."""
        return self._stop.is_set()

    def _run(self) -> None:
        try:
            self._play_until_stopped()
        except Exception as error:
            if not self._listener.gone():
                self._listener.failed(error)

    def _play_until_stopped(self) -> None:
        while not self._listener.ready():
            if self._stop.wait(0.05):
                return
        while not self._stop.is_set():
            try:
                self._play()
            except SourceError as error:
                if self._lost_at is None:
                    self._lost_at = time.monotonic()
                    self._listener.lost(str(error))
                self._stop.wait(self._options.retry)
                continue
            if not self._stop.is_set():
                self._listener.ended()
            return

    def _play(self) -> None:
        """Open the source and show it to its end. Raises SourceError."""
        source = self._open_source()
        # Start of the loop in recorded time, which jumps, and in time of playback.
        recorded, played, begins = 0.0, 0.0, True
        while True:
            shown, newest, due = 0, 0.0, 0.0
            clock = SegmentClock()
            with closing(source.frames()) as frames:
                for frame in frames:
                    if source.live and self._options.rate > 0.0:
                        after = self._due_after(frame, due)
                        if after is None:
                            continue
                        due = after
                    time_ = shown / self._options.rate if self._retimed(source) else frame.time
                    newest = max(newest, time_)
                    self._wait(source, played + clock.place(time_), begins)
                    if self._stop.is_set():
                        return
                    self._listener.show(frame, recorded + time_, begins)
                    shown, begins = shown + 1, False
            if not (self._options.loop and shown):
                return
            interval = 1.0 / (self._options.rate or source.rate or 25.0)
            recorded, played = recorded + newest + interval, played + clock.seconds + interval

    def _retimed(self, source: Playable) -> bool:
        return self._options.rate > 0.0 and not source.live

    def _due_after(self, frame: Any, due: float) -> float | None:
        """Return when the frame after this one of a live source is due; None to drop this one.

        A frame is dropped if it comes over a quarter of a period before ``due``. The rate holds on
        average, but missing frames are not made up for.
        """
        period = 1.0 / self._options.rate
        if frame.time < due - 0.25 * period:
            return None
        return max(due, float(frame.time) - period) + period

    def _wait(self, source: Playable, due: float, begins: bool) -> None:
        """Wait until a frame of a recording is due. Report the end of an outage."""
        now = time.monotonic()
        if begins:
            self._shift = now - due
            if self._lost_at is not None:
                self._listener.found(now - self._lost_at)
                self._lost_at = None
        if source.live:
            return
        late = now - (self._shift + due)
        if late > 0.0:
            self._shift += late
            self.delay += late
        else:
            self._stop.wait(-late)
