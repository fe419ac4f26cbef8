"""What is measured and reported of the driver: states, one observation, the two reports."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from edan_ros.behaviors.occupants import Occupant
from edan_ros.behaviors.snapshot import NEGATIVE
from edan_ros.core.eyes import EYES_NOT_MEASURED

NAN = math.nan


class CabinDriver(enum.IntEnum):
    """The constants DRIVER_* of edan_ros/msg/CabinState."""

    ATTENTIVE = 0
    ABSENT = 1
    LOOKING_AWAY = 2
    EYES_CLOSED = 3
    DISTRESSED = 4
    UNKNOWN = 255


class DriverState(enum.IntEnum):
    """The states of edan_ros/msg/DriverState. Of several that apply, the highest is reported."""

    ATTENTIVE = 0
    LOOKING_AWAY = 1
    DISTRACTED = 2
    DROWSY = 3
    MICROSLEEP = 4
    SLEEP = 5
    UNRESPONSIVE = 6
    ABSENT = 7
    UNKNOWN = 255


class Alert(enum.IntEnum):
    """The constants ALERT_* of edan_ros/msg/DriverState."""

    NONE = 0
    WARN = 1
    ALERT = 2


class Glance(enum.IntEnum):
    """The constants GLANCE_* of edan_ros/msg/DriverState."""

    NONE = 0
    EYES = 1
    HEAD = 2


#: States of CabinState in which the driver is disengaged, each with its reason and the seconds in
#: it. The first one that applies is reported.
DISENGAGED = {
    CabinDriver.ABSENT: "No face has been in the driver's seat for {:.1f} s.",
    CabinDriver.EYES_CLOSED: "The driver's eyes have been closed for {:.1f} s.",
    CabinDriver.LOOKING_AWAY: (
        "The driver's head has been turned away from the road for {:.1f} s."
    ),
    CabinDriver.DISTRESSED: "The driver has shown a negative emotion for {:.1f} s.",
}


@dataclass(slots=True, frozen=True)
class DriverObservation:
    """The driver in one image. Angles in radians as this camera measures them; NaN where unknown.

    Attributes:
        person: identity over occlusions; another value is another driver.
        track_id: 1 or more.
        openness: of the eyes, 0 closed to 1 open.
        closed: whether they are closed, with hysteresis.
        eye_quality: index into EYE_QUALITIES; 0 if the openness is that of landmarks.
        yaw, pitch: of the head.
        gaze_yaw, gaze_pitch: of the gaze.
        mouth: height between the lips over the width of the mouth.
        negative: whether the emotion is negative.
    """

    person: int = 1
    track_id: int = 1
    openness: float = NAN
    closed: bool = False
    eye_quality: int = EYES_NOT_MEASURED
    yaw: float = NAN
    pitch: float = NAN
    gaze_yaw: float = NAN
    gaze_pitch: float = NAN
    mouth: float = NAN
    negative: bool = False

    @staticmethod
    def of(driver: Occupant) -> DriverObservation:
        """Return the observation of an occupant in the newest image."""
        face, gaze = driver.face, driver.face.gaze
        x, y, z = (NAN, NAN, NAN) if gaze is None else gaze
        return DriverObservation(
            driver.key,
            face.track_id,
            driver.eyes.openness,
            driver.eyes.closed,
            face.eye_quality,
            face.yaw,
            face.pitch,
            math.atan2(x, -z),
            math.atan2(-y, math.hypot(x, z)),
            face.mouth_opening,
            driver.polarity.value == NEGATIVE,
        )


@dataclass(frozen=True)
class CabinDriverReport:
    """The driver in CabinState. held: seconds since it began. reason: one sentence, or empty."""

    state: CabinDriver
    held: float
    reason: str

    @property
    def disengaged(self) -> bool:
        """Whether the state is one of DISENGAGED."""
        return self.state in DISENGAGED


@dataclass(frozen=True)
class DriverReport:
    """The driver as in edan_ros/msg/DriverState. Times in seconds, angles in radians.

    Attributes:
        state, held: the state and for how long it has been reported.
        alert, reason: level of the alert, and one sentence on the state, or empty.
        track_id: 0 without a driver in the newest image.
        confidence: share of what could be measured in the last seconds, 0 to 1.
        eyes_measurable, openness: of the newest image; openness 0 closed to 1 open, or NaN.
        closed_for: time since the eyes closed; 0 while they are open.
        perclos, perclos_window: share of time with closed eyes, 0 to 1, and over which time; NaN
            while too little has been measured.
        blink_rate, blink_duration: blinks a minute, and their mean; NaN while unknown.
        yawning, yawns: whether a yawn lasts, and the number in `yawn_window`.
        glance, glance_down, glance_for: the present glance away from the road and its length.
        glance_seconds: sum of glances in `glance_window`.
        gaze: yaw and pitch of gaze, or else of head, from its rest direction; NaN while unknown.
        rest_learned, rest: whether the rest direction is learned, and its yaw and pitch.
    """

    state: DriverState
    held: float
    alert: Alert
    reason: str
    track_id: int
    confidence: float
    eyes_measurable: bool
    openness: float
    closed_for: float
    perclos: float
    perclos_window: float
    blink_rate: float
    blink_duration: float
    yawning: bool
    yawns: int
    glance: Glance
    glance_down: bool
    glance_for: float
    glance_seconds: float
    gaze: tuple[float, float]
    rest_learned: bool
    rest: tuple[float, float]
