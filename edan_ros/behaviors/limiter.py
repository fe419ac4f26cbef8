"""Scales velocity commands by the advice on speed, for robots whose planner does not take it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edan_ros.behaviors.timing import approach
from edan_ros.core.settings import CheckedSettings, number, setting

#: Linear x, y, z in m/s and angular x, y, z in rad/s, as in geometry_msgs/Twist.
Velocity = tuple[float, float, float, float, float, float]
STILL: Velocity = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
#: Longest validity of advice in seconds. After the clock has jumped back, old advice would
#: otherwise stay valid.
LONGEST_VALIDITY = 10.0


@dataclass(frozen=True)
class LimiterSettings(CheckedSettings):
    """Scaling of velocity commands."""

    on_failure: str = setting(
        "open",
        "without valid advice (outdated faces, or none yet), 'open' passes commands on as "
        "they are, 'stop' brings the robot to rest",
        choices=("open", "stop"),
    )
    fall: float = number(0.5, 0.05, 10.0, "fastest decrease of the factor on commands", "1/s")
    rise: float = number(0.25, 0.05, 10.0, "fastest increase of the factor on commands", "1/s")
    scale_turning: bool = setting(
        True, "scale the angular velocity too, so that the robot keeps to its curve"
    )


class VelocityLimiter:
    """A factor from 0 to 1 on velocity commands that follows the advice at the set rates.

    It never increases a command, changes its direction or creates one.
    """

    def __init__(self, settings: LimiterSettings) -> None:
        self.settings = settings
        self.factor = self._without_advice()
        self._scale = 1.0
        self._valid_until = -math.inf
        self._now: float | None = None

    def advise(self, scale: float, valid_until: float) -> None:
        """Set the newest advice; `valid_until` in seconds, -inf to withdraw it."""
        self._scale = min(max(scale, 0.0), 1.0) if math.isfinite(scale) else 1.0
        self._valid_until = valid_until

    def limit(self, command: Velocity, now: float) -> Velocity:
        """Return the command to pass on at `now`; one that is not finite becomes a stop."""
        passed = 0.0 if self._now is None else min(max(now - self._now, 0.0), 0.5)
        self._now = now
        valid = now <= self._valid_until <= now + LONGEST_VALIDITY
        target = self._scale if valid else self._without_advice()
        rate = self.settings.fall if target < self.factor else self.settings.rise
        self.factor = approach(self.factor, target, rate * passed)
        if not math.isfinite(sum(command)):
            return STILL
        x, y, z, roll, pitch, yaw = command
        f = self.factor
        g = f if self.settings.scale_turning else 1.0
        return x * f, y * f, z * f, roll * g, pitch * g, yaw * g

    def _without_advice(self) -> float:
        return 1.0 if self.settings.on_failure == "open" else 0.0
