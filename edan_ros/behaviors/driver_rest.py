"""The direction in which a driver usually looks, learned from its head or eyes."""

from __future__ import annotations

import math

from edan_ros.behaviors.driver_settings import DriverSettings


class RestDirection:
    """Direction in which one driver's head or eyes usually point.

    A running mean at first, then with the time constant TIME. One image moves it by REACH at most,
    directions further than `rest_range` + REACH from the road are left out, and the result is
    bounded to `rest_range`: a long glance hardly moves it, and no driver can teach it the lap.
    """

    TIME, REACH = 60.0, 0.15

    def __init__(self, settings: DriverSettings) -> None:
        self._road = (settings.road_yaw, settings.road_pitch)
        self._range, self._after = settings.rest_range, settings.rest_after
        self._mean = self._road
        self._seconds = 0.0

    @property
    def learned(self) -> bool:
        """Whether this driver has been measured for long enough."""
        return self._seconds >= self._after and self._range > 0.0

    @property
    def value(self) -> tuple[float, float]:
        """Yaw and pitch: the learned direction, or that of the road."""
        return self._mean if self.learned else self._road

    def offset(self, yaw: float, pitch: float) -> tuple[float, float]:
        """Return the yaw and pitch of a direction from this one."""
        rest_yaw, rest_pitch = self.value
        return math.remainder(yaw - rest_yaw, math.tau), pitch - rest_pitch

    def update(self, yaw: float, pitch: float, passed: float) -> None:
        """Add a direction that held for some seconds; NaN is ignored."""
        road_yaw, road_pitch = self._road
        yaw = road_yaw + math.remainder(yaw - road_yaw, math.tau)
        reach = self._range + self.REACH
        if not (abs(yaw - road_yaw) <= reach and abs(pitch - road_pitch) <= reach):
            return
        self._seconds += passed
        gain = passed / max(min(self._seconds, self.TIME), 1e-6)
        self._mean = (
            self._toward(self._mean[0], yaw, gain, road_yaw),
            self._toward(self._mean[1], pitch, gain, road_pitch),
        )

    def _toward(self, mean: float, value: float, gain: float, road: float) -> float:
        mean += gain * min(max(value - mean, -self.REACH), self.REACH)
        return min(max(mean, road - self._range), road + self._range)
