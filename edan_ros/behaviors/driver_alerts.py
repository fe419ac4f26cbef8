"""Alerts from the levels that the states of the driver ask for."""

from __future__ import annotations

import math

from edan_ros.behaviors.driver_records import Alert
from edan_ros.behaviors.driver_settings import DriverSettings


class AlertLimiter:
    """Turns the level that a state asks for into alerts that are neither hasty nor permanent.

    A level stays for `alert_hold` after its cause has ended. A warning that ended, and any level
    that held for `alert_longest`, does not come back before `alert_pause`; a higher level does.
    """

    def __init__(self, settings: DriverSettings) -> None:
        self.settings = settings
        self.level = self._peak = self._blocked = Alert.NONE
        self._begun = self._confirmed = self._free = -math.inf

    def update(self, wanted: Alert, elapsed: float) -> Alert:
        """Return the level at a time in seconds that never goes back."""
        s = self.settings
        if wanted >= self.level:
            self._confirmed = elapsed
        if self.level:
            if elapsed - self._begun >= s.alert_longest:
                self._end(Alert.NONE, elapsed, blocked=self.level)
            elif wanted < self.level and elapsed - self._confirmed >= s.alert_hold:
                self._end(wanted, elapsed, blocked=min(self.level, Alert.WARN))
        if wanted > self.level and (wanted > self._blocked or elapsed >= self._free):
            # A fall within one run of alerts does not prolong it.
            if wanted > self._peak:
                self._begun, self._peak = elapsed, wanted
            self.level, self._confirmed = wanted, elapsed
        return self.level

    def _end(self, level: Alert, elapsed: float, *, blocked: Alert) -> None:
        self.level = level
        if not level:
            self._peak = Alert.NONE
            self._blocked, self._free = blocked, elapsed + self.settings.alert_pause
