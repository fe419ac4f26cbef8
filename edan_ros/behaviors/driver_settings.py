"""Settings of the driver monitor; docs/explanation/behaviors.md has the sources of thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.core.settings import CheckedSettings, number, seconds, setting


@dataclass(frozen=True)
class DriverSettings(CheckedSettings):
    """Conditions under which a driver counts as disengaged, distracted or drowsy."""

    seat: str = setting(
        "driver", "name of the driver's seat, one of the seats; empty for no driver"
    )
    road_yaw: float = number(
        0.0, -1.6, 1.6, "yaw, as this camera measures it, of a head that faces the road", "rad"
    )
    road_pitch: float = number(
        0.0, -1.0, 1.0, "pitch, as this camera measures it, of a head that faces the road", "rad"
    )
    away_yaw: float = number(
        0.5,
        0.1,
        1.5,
        "rotation to either side of the road from which the head is turned away",
        "rad",
    )
    away_pitch: float = number(
        0.45,
        0.1,
        1.2,
        "rotation up or down from the road from which the head is turned away",
        "rad",
    )
    gaze_yaw: float = number(
        0.35, 0.1, 1.5, "angle to either side of the road from which the eyes look away", "rad"
    )
    gaze_pitch: float = number(
        0.35, 0.1, 1.2, "angle up or down from the road from which the eyes look away", "rad"
    )
    back_share: float = number(
        0.8, 0.3, 1.0, "fraction of a threshold at which its condition ends again"
    )
    rest_range: float = number(
        0.25,
        0.0,
        0.6,
        "angle by which the direction in which this driver usually looks may differ from the "
        "configured road; 0 to learn none",
        "rad",
    )
    rest_after: float = seconds(
        30.0, 5.0, 600.0, "time for which a driver is measured before that direction is used"
    )
    absent_after: float = seconds(
        3.0, 0.5, 60.0, "time without a face in the driver's seat after which the driver is absent"
    )
    away_after: float = seconds(
        2.0,
        0.3,
        30.0,
        "time with the head turned away after which cabin_state has the driver look away",
    )
    long_glance: float = seconds(
        3.0, 0.5, 30.0, "length of one glance away after which the driver looks away"
    )
    glances: float = seconds(
        10.0, 1.0, 120.0, "sum of glances away after which the driver is distracted"
    )
    glance_window: float = seconds(30.0, 5.0, 300.0, "time over which glances away are summed up")
    eyes_closed_after: float = seconds(
        1.0,
        0.2,
        10.0,
        "time with closed eyes after which that is reported, as a microsleep; a shorter one is "
        "a blink",
    )
    sleep_after: float = seconds(3.0, 0.5, 30.0, "time with closed eyes after which it is sleep")
    unresponsive_after: float = seconds(
        6.0,
        1.0,
        60.0,
        "time with closed eyes or of one glance away after which the driver is unresponsive",
    )
    perclos_window: float = seconds(
        60.0, 10.0, 600.0, "time over which closed eyes, blinks and PERCLOS are measured"
    )
    perclos_measured: float = number(
        0.3, 0.05, 1.0, "fraction of that time that must be measured before PERCLOS is known"
    )
    drowsy_perclos: float = number(0.15, 0.02, 0.9, "PERCLOS from which the driver is drowsy")
    yawn_opening: float = number(
        0.4, 0.1, 2.0, "height between the lips, as a fraction of the mouth's width, in a yawn"
    )
    yawn_after: float = seconds(
        1.5, 0.5, 10.0, "time with the mouth that far open after which it is a yawn"
    )
    yawn_longest: float = seconds(
        12.0, 2.0, 60.0, "time with the mouth that far open after which it is no yawn"
    )
    yawn_window: float = seconds(300.0, 30.0, 3600.0, "time over which yawns are counted")
    drowsy_yawns: int = setting(
        3, "yawns within that time from which the driver is drowsy", low=1, high=100
    )
    distress_after: float = seconds(
        8.0, 1.0, 120.0, "time with a negative emotion after which the driver is in distress"
    )
    grace: float = seconds(
        0.4, 0.0, 3.0, "longest interruption of a condition that still counts as unbroken"
    )
    alert_hold: float = seconds(
        2.0, 0.0, 30.0, "time for which an alert is kept after its cause has ended"
    )
    alert_longest: float = seconds(
        15.0, 1.0, 600.0, "time after which an alert pauses even if its cause holds"
    )
    alert_pause: float = seconds(
        5.0, 0.0, 600.0, "shortest pause between two warnings, and after an alert that paused"
    )
