"""The player with sources and listeners made up; times are short, and checked loosely."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Sequence

import numpy as np
import pytest

from edan_ros.core.images import Image
from edan_ros.sources.base import Frame, SourceError
from edan_ros.sources.player import Listener, Player, PlayOptions

IMAGE = Image(np.zeros((2, 2, 3), np.uint8))


class FakeSource:
    name, rate, length = "fake", 20.0, None

    def __init__(self, times: Sequence[float], live: bool = False, fails: bool = False) -> None:
        self.times, self.live, self.fails = times, live, fails
        self.closed = 0

    def frames(self) -> Generator[Frame, None, None]:
        try:
            for at in self.times:
                yield Frame(IMAGE, at)
            if self.fails:
                raise SourceError("the cable is out")
        finally:
            self.closed += 1


class Log(Listener):
    """Keeps what it is logged. hold: seconds that it takes to show each frame."""

    def __init__(self, hold: float = 0.0) -> None:
        self.hold = hold
        self.times: list[float] = []
        self.clock: list[float] = []
        self.begins: list[bool] = []
        self.logged: list[str] = []
        self.end = threading.Event()

    def show(self, _: Frame, time_: float, begins: bool) -> None:
        self.clock.append(time.monotonic())
        self.times.append(time_)
        self.begins.append(begins)
        time.sleep(self.hold)

    def lost(self, reason: str) -> None:
        self.logged.append(reason)

    def found(self, _: float) -> None:
        self.logged.append("back")

    def ended(self) -> None:
        self.end.set()

    def gaps(self) -> list[float]:
        return [b - a for a, b in itertools.pairwise(self.clock)]


def play(
    source: FakeSource, log: Log, *, until: Callable[[], bool] | None = None, **options: object
) -> Player:
    """Plays to the end, or until a condition holds."""
    player = Player(lambda: source, PlayOptions(**options), log)  # type: ignore[arg-type]
    player.start()
    deadline = time.monotonic() + 60.0
    while not (until() if until else log.end.is_set()):
        assert time.monotonic() < deadline, "the player did not get there"
        time.sleep(0.005)
    player.stop()
    return player


def test_recorded_gaps_are_kept() -> None:
    log = Log()
    play(FakeSource([0.0, 0.05, 0.3, 0.35]), log)
    assert log.times == [0.0, 0.05, 0.3, 0.35]
    # A frame may come late on a busy machine, never early.
    for gap, recorded in zip(log.gaps(), [0.05, 0.25, 0.05], strict=True):
        assert gap > recorded - 0.02
    assert log.clock[-1] - log.clock[0] > 0.34
    assert log.begins == [True, False, False, False]


def test_a_jump_of_the_times_is_played_on_with_the_next_segment() -> None:
    log = Log()
    times = [0.0, 0.05, 432_000.0, 432_000.05, 3600.0]  # five days ahead, and back
    play(FakeSource(times), log)
    assert log.times == times
    assert log.clock[-1] - log.clock[0] == pytest.approx(2.1, abs=0.8)


def test_a_loop_over_a_jump_goes_on_after_the_newest_time() -> None:
    log = Log()
    source = FakeSource([0.0, 1000.0])
    play(source, log, loop=True, until=lambda: len(log.times) >= 3)
    assert log.times[2] == pytest.approx(1000.05)


def test_a_given_rate_replaces_the_recorded_times() -> None:
    log = Log()
    play(FakeSource([0.0, 5.0, 50.0]), log, rate=50.0)
    assert log.times == [0.0, 0.02, 0.04]
    assert log.clock[-1] - log.clock[0] > 0.035


def test_a_slow_listener_delays_and_loses_nothing() -> None:
    log = Log(hold=0.06)
    times = [0.02 * i for i in range(6)]
    player = play(FakeSource(times), log)
    assert log.times == times
    # Five frames came 0.04 s late each, one after the other.
    assert player.delay > 0.18
    assert min(log.gaps()) > 0.05


def test_no_burst_follows_a_delay() -> None:
    class OnceSlow(Log):
        def show(self, frame: Frame, time_: float, begins: bool) -> None:
            super().show(frame, time_, begins)
            if begins:
                time.sleep(0.3)

    log = OnceSlow()
    play(FakeSource([0.05 * i for i in range(5)]), log)
    # Images that were late by 0.3 s would follow at once; a late wake-up takes less.
    assert min(log.gaps()[1:]) > 0.005


def test_a_loop_continues_in_time() -> None:
    log = Log()
    source = FakeSource([0.0, 0.01])
    play(source, log, loop=True, until=lambda: len(log.times) >= 5)
    # The second round begins one frame (1 / 20 s) after the last frame of the first.
    assert log.times[:5] == pytest.approx([0.0, 0.01, 0.06, 0.07, 0.12])
    assert log.begins[:3] == [True, False, False]
    assert source.closed >= 2


def test_live_frames_are_thinned_to_the_rate() -> None:
    log = Log()
    play(FakeSource([i / 30.0 for i in range(60)], live=True), log, rate=10.0)
    assert len(log.times) == 20
    assert np.diff(log.times) == pytest.approx(0.1, abs=0.001)


def test_missing_frames_are_not_made_up_for() -> None:
    """A webcam that gave 10 in the dark, then 30 a second, at a requested 15."""
    log = Log()
    dark, light = [i / 10.0 for i in range(50)], [5.0 + i / 30.0 for i in range(60)]
    play(FakeSource([*dark, *light], live=True), log, rate=15.0)
    assert np.diff(log.times[52:]) == pytest.approx(2 / 30, abs=0.001)
    assert log.times[52] == pytest.approx(5.0, abs=0.2)


def test_live_frames_are_shown_at_once() -> None:
    log = Log()
    play(FakeSource([0.0, 100.0, 200.0], live=True), log)
    assert log.times == [0.0, 100.0, 200.0]
    assert log.clock[-1] - log.clock[0] < 5.0


def test_a_missing_source_is_retried_until_it_exists() -> None:
    log = Log()
    attempts = itertools.count()

    def opens_late() -> FakeSource:
        if next(attempts) < 3:
            raise SourceError("not there")
        return FakeSource([0.0, 0.01])

    player = Player(opens_late, PlayOptions(retry=0.02), log)
    player.start()
    assert log.end.wait(60.0)
    player.stop()
    assert log.logged == ["not there", "back"]
    assert log.times == [0.0, 0.01]


def test_a_source_that_fails_is_opened_again() -> None:
    log = Log()
    sources = iter([FakeSource([0.0, 0.01], live=True, fails=True), FakeSource([0.0], live=True)])
    player = Player(lambda: next(sources), PlayOptions(retry=0.01), log)
    player.start()
    assert log.end.wait(60.0)
    player.stop()
    assert log.logged == ["the cable is out", "back"]
    assert log.begins == [True, False, True]


def test_nothing_is_shown_before_the_listener_is_ready() -> None:
    class Shy(Log):
        open = False

        def ready(self) -> bool:
            return self.open

    log = Shy()
    player = Player(lambda: FakeSource([0.0]), PlayOptions(), log)
    player.start()
    time.sleep(0.15)
    assert log.times == []
    log.open = True
    assert log.end.wait(60.0)
    player.stop()
    assert log.times == [0.0]


def test_stop_is_quick_and_frees_the_source() -> None:
    log = Log()
    source = FakeSource([0.0, 50.0])
    player = Player(lambda: source, PlayOptions(), log)
    player.start()
    while not log.times:
        time.sleep(0.005)
    begin = time.monotonic()
    player.stop()
    assert time.monotonic() - begin < 40.0  # of the 50 s that the next frame is away
    assert source.closed == 1
    assert log.times == [0.0]
    assert not log.end.is_set()


@pytest.mark.parametrize("gone", [True, False])
def test_a_failure_is_not_an_error_once_the_listener_is_gone(
    monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    class Broken(Log):
        def show(self, _: Frame, time_: float, begins: bool) -> None:  # noqa: ARG002
            raise RuntimeError("the context is down")

        def gone(self) -> bool:
            return gone

    raised: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(str(args.exc_value)))
    source = FakeSource([0.0, 0.01])
    player = Player(lambda: source, PlayOptions(), Broken())
    player.start()
    player.stop(timeout=60.0)
    assert source.closed == 1
    assert raised == ([] if gone else ["the context is down"])


def test_a_loop_without_a_frame_ends() -> None:
    log = Log()
    play(FakeSource([]), log, loop=True)
    assert log.times == []
