"""Plays a source like a camera: in time, again and again, and back when it was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from edan_ros.sources.base import SourceError


class Playable(Protocol):
    """What can be played: a Source, or anything else whose frames have a time."""

    @property
    def rate(self) -> float:
        """Frames a second, 0.0 where that is not known."""
        ...

    @property
    def live(self) -> bool:
        """Whether the frames come at their own pace."""
        ...

    def frames(self) -> Generator[Any, None, None]:
        """Each with its ``time``, seconds since the first; as Source.frames."""
        ...


@dataclass(frozen=True)
class PlayOptions:
    """How to play.

    rate: frames a second, 0.0 for the recorded times. loop: begin anew at the end. retry: seconds
    between two tries to open a source that is not there.
    """

    rate: float = 0.0
    loop: bool = False
    retry: float = 2.0


class Listener:
    """What a player tells. All is called on the player's thread; the defaults do nothing."""

    def ready(self) -> bool:
        """Whether the first frame may be shown; asked again and again until it is true."""
        return True

    def show(self, frame: Any, time: float, begins: bool) -> None:
        """A frame is due. time: seconds since the source began, over all loops.

        begins: it is the first since the source was opened.
        """

    def lost(self, reason: str) -> None:
        """The source is not there, or no longer; told once an outage."""

    def found(self, outage: float) -> None:
        """The source is back after ``outage`` seconds."""

    def ended(self) -> None:
        """The last frame has been shown."""

    def failed(self, error: Exception) -> None:
        """Handle an unexpected error that ends the player's thread; raised again by default."""
        raise error

    def gone(self) -> bool:
        """Whether nobody listens any more, so that a failure of the others is no error."""
        return False


class Player:
    """Reads a source on a thread of its own and shows each frame when it is due.

    Frames of a recording are never skipped and never shown in a burst: one that is late (a slow
    disk, a slow listener) moves all later ones by as much. Frames of a live source are shown as
    they come; a lower ``rate`` leaves some out.

    open_source: makes the source, or raises SourceError; is tried again until it succeeds.
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
        #: Seconds by which frames have been shown later than recorded, in all.
        self.delay = 0.0
        self._shift = 0.0  # clock minus recorded time of a frame that is in time

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Show no more frames, and wait until the thread has ended.

        patience: seconds after which a thread that hangs in a camera's driver is left to itself;
        it shows nothing any more.
        """
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(patience)

    @property
    def stopping(self) -> bool:
        """Whether stop() was called: who waits in show() is to return."""
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
        elapsed, begins = 0.0, True
        while True:
            shown, last, due = 0, 0.0, 0.0
            with closing(source.frames()) as frames:
                for frame in frames:
                    if source.live and self._options.rate > 0.0:
                        after = self._due_after(frame, due)
                        if after is None:
                            continue
                        due = after
                    last = shown / self._options.rate if self._retimed(source) else frame.time
                    self._wait(source, elapsed + last, begins)
                    if self._stop.is_set():
                        return
                    self._listener.show(frame, elapsed + last, begins)
                    shown, begins = shown + 1, False
            if not (self._options.loop and shown):
                return
            elapsed += last + 1.0 / (self._options.rate or source.rate or 25.0)

    def _retimed(self, source: Playable) -> bool:
        return self._options.rate > 0.0 and not source.live

    def _due_after(self, frame: Any, due: float) -> float | None:
        """When the next of a live source's frames is due, after one for which ``due`` is its time;
        None for a frame that comes too soon for the rate asked for, by over a quarter of it.

        The rate holds on average, but frames that never came are not made up for.
        """
        period = 1.0 / self._options.rate
        if frame.time < due - 0.25 * period:
            return None
        return max(due, float(frame.time) - period) + period

    def _wait(self, source: Playable, due: float, begins: bool) -> None:
        """Until a frame of a recording is due. Tells when the source is back."""
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
