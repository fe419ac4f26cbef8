"""The limiter on velocity commands: it follows advice smoothly and fails as configured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import all_examples

from edan_ros.behaviors.limiter import STILL, LimiterSettings, Velocity, VelocityLimiter
from edan_ros.core.settings import SettingsError

FORWARD: Velocity = (2.0, 0.0, 0.0, 0.0, 0.0, 1.0)
BACKWARD: Velocity = (-2.0, 0.5, 0.0, 0.0, -0.0, 1.0)


def test_commands_are_scaled_at_the_set_rate_and_keep_their_curve() -> None:
    limiter = VelocityLimiter(LimiterSettings(fall=0.5, rise=0.25))
    assert limiter.limit(FORWARD, 10.0) == FORWARD
    limiter.advise(0.5, 12.0)
    assert limiter.limit(FORWARD, 10.4) == pytest.approx((1.6, 0, 0, 0, 0, 0.8))
    assert limiter.limit(FORWARD, 10.8) == pytest.approx((1.2, 0, 0, 0, 0, 0.6))
    assert limiter.limit(FORWARD, 11.2) == pytest.approx((1.0, 0, 0, 0, 0, 0.5))


def test_angular_velocity_can_be_left_unchanged() -> None:
    limiter = VelocityLimiter(LimiterSettings(scale_turning=False))
    limiter.advise(0.5, 12.0)
    limiter.limit(FORWARD, 10.0)
    assert limiter.limit(FORWARD, 10.4) == pytest.approx((1.6, 0, 0, 0, 0, 1.0))


@pytest.mark.parametrize(("on_failure", "end"), [("open", 1.0), ("stop", 0.0)])
def test_without_valid_advice_it_fails_as_set(on_failure: str, end: float) -> None:
    limiter = VelocityLimiter(LimiterSettings(on_failure=on_failure))
    assert limiter.limit(FORWARD, 0.0)[0] == 2.0 * end
    limiter.advise(0.5, 6.0)
    for i in range(60):
        limiter.limit(FORWARD, 0.1 * i)
    assert limiter.factor == pytest.approx(0.5)
    for i in range(61, 120):
        limiter.limit(FORWARD, 0.1 * i)
    assert limiter.factor == end


def test_advice_from_before_a_jump_of_the_clock_is_void() -> None:
    limiter = VelocityLimiter(LimiterSettings())
    limiter.advise(0.5, 1001.0)
    for i in range(100):
        limiter.limit(FORWARD, 1.0 + 0.1 * i)
    assert limiter.factor == 1.0


def test_a_command_that_is_not_finite_becomes_a_stop() -> None:
    limiter = VelocityLimiter(LimiterSettings())
    assert limiter.limit((math.nan, 0, 0, 0, 0, 0), 1.0) == STILL
    assert limiter.limit((math.inf, 0, 0, 0, 0, -math.inf), 1.1) == STILL
    assert limiter.limit(FORWARD, 1.2) == FORWARD


def test_an_unknown_policy_is_explained() -> None:
    with pytest.raises(SettingsError, match="on_failure is 'ajar', must be one of open, stop"):
        LimiterSettings(on_failure="ajar")


PAUSES = (0.05, 0.3, 0.3, 2.0, 0.0, 100.0, -0.1, -100.0)
SCALES = (None, 0.5, 0.0, 1.0, 7.0, math.nan)


@pytest.mark.timeout(600)
@all_examples
@given(st.binary(max_size=12), st.sampled_from(["open", "stop"]))
def test_commands_are_never_increased(sequence: bytes, on_failure: str) -> None:
    """Over any sequence of advice, pauses and clock jumps:

    - no component of a command grows or changes its sign;
    - the factor stays between 0 and 1, and moves by at most `fall` and `rise` a second, over any
      pause by at most half a second's worth;
    - with no more advice it ends at 1 when failing open and at 0 when failing to a stop.
    """
    limiter, now = VelocityLimiter(LimiterSettings(on_failure=on_failure)), 1000.0
    before = limiter.factor
    for byte in sequence:
        passed, scale = PAUSES[byte % 8], SCALES[byte // 8 % 6]
        now += passed
        if scale is not None:
            limiter.advise(scale, now + 1.0)
        out = limiter.limit(BACKWARD, now)
        assert all(abs(a) <= abs(b) for a, b in zip(out, BACKWARD, strict=True))
        assert all(a * b >= 0.0 for a, b in zip(out, BACKWARD, strict=True))
        counted = min(max(passed, 0.0), 0.5)
        assert -0.5 * counted - 1e-9 <= limiter.factor - before <= 0.25 * counted + 1e-9
        before = limiter.factor
    for i in range(30):
        limiter.limit(FORWARD, now + 2.0 + 0.5 * i)
    assert limiter.factor == (1.0 if on_failure == "open" else 0.0)
