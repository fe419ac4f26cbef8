"""Messages of the behaviours' reports."""

from __future__ import annotations

import math
from collections.abc import Iterable

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from edan_ros.behaviors.cabin import CabinReport, OccupantReport
from edan_ros.behaviors.engagement import EngagementReport
from edan_ros.behaviors.reactions import Fired
from edan_ros.behaviors.social import Position
from edan_ros.behaviors.speed import Advice
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import UNKNOWN, label_of
from edan_ros.msg import (
    CabinState,
    DriverState,
    Engagement,
    EngagementArray,
    OccupantState,
    Reaction,
    SpeedAdvisory,
)

_LONGEST = 2**31 - 1


def duration(seconds: float) -> Duration:
    """Return seconds as a message; 0 if not finite, and at most what the type can hold."""
    if not math.isfinite(seconds):
        return Duration()
    whole = min(math.floor(seconds), _LONGEST)
    nanoseconds = min(round((seconds - whole) * 1e9), 999_999_999) if whole < _LONGEST else 0
    return Duration(sec=whole, nanosec=nanoseconds)


def cabin_state(report: CabinReport, header: Header) -> CabinState:
    """Return the message of the state of the cabin."""
    return CabinState(
        header=header,
        stale=report.stale,
        age=duration(report.age),
        occupant_count=len(report.occupants),
        occupants=[occupant_state(occupant) for occupant in report.occupants],
        dominant_emotion=report.emotion,
        dominant_label=label_of(report.emotion),
        mood_probabilities=list(report.mood),
        dominant_polarity=report.polarity,
        driver_disengaged=report.driver.disengaged,
        driver_state=int(report.driver.state),
        driver_state_duration=duration(report.driver.held),
        driver_reason=report.driver.reason,
    )


def driver_state(report: CabinReport, header: Header) -> DriverState:
    """Return the message of the state of the driver."""
    driver = report.driver_state
    return DriverState(
        header=header,
        stale=report.stale,
        track_id=driver.track_id,
        state=int(driver.state),
        state_duration=duration(driver.held),
        alert_level=int(driver.alert),
        reason=driver.reason,
        confidence=driver.confidence,
        eyes_measurable=driver.eyes_measurable,
        eye_openness=driver.openness,
        eyes_closed_for=duration(driver.closed_for),
        perclos=driver.perclos,
        perclos_window=driver.perclos_window,
        blink_rate=driver.blink_rate,
        blink_duration=driver.blink_duration,
        yawning=driver.yawning,
        yawn_count=driver.yawns,
        glance=int(driver.glance),
        glance_down=driver.glance_down,
        glance_duration=duration(driver.glance_for),
        glance_seconds=driver.glance_seconds,
        gaze_yaw=driver.gaze[0],
        gaze_pitch=driver.gaze[1],
        rest_learned=driver.rest_learned,
        rest_yaw=driver.rest[0],
        rest_pitch=driver.rest[1],
    )


def occupant_state(report: OccupantReport) -> OccupantState:
    """Return the message of one person in the cabin."""
    person = report.occupant
    face, emotion = person.face, person.emotion.value
    known = emotion != UNKNOWN
    return OccupantState(
        track_id=face.track_id,
        seat=person.seat,
        visible=report.visible,
        unseen=duration(report.unseen),
        roi=_roi(face.box),
        emotion=emotion,
        label=label_of(emotion),
        confidence=face.probabilities[emotion] if known else face.confidence,
        emotion_duration=duration(report.emotion_held),
        polarity=person.polarity.value,
        polarity_duration=duration(report.polarity_held),
        valence=face.valence,
        arousal=face.arousal,
        distress=report.distress,
        head_direction_valid=math.isfinite(face.yaw),
        head_yaw=face.yaw,
        head_pitch=face.pitch,
        head_roll=face.roll,
        eyes_closed=person.eyes.closed,
        eyes_closed_duration=duration(report.eyes_closed_held),
    )


def _roi(box: Box) -> RegionOfInterest:
    x, y = max(math.floor(box.x), 0), max(math.floor(box.y), 0)
    return RegionOfInterest(
        x_offset=x,
        y_offset=y,
        width=max(math.ceil(box.x + box.width) - x, 0),
        height=max(math.ceil(box.y + box.height) - y, 0),
    )


def speed_advisory(advice: Advice, header: Header) -> SpeedAdvisory:
    """Return the message of the advice, which is valid from the header's stamp on."""
    message = SpeedAdvisory(
        header=header,
        active=advice.active,
        scale=advice.scale,
        target_scale=advice.target,
        reason=int(advice.reason),
        reason_text=advice.text,
        track_ids=list(advice.track_ids),
        held=duration(advice.held),
    )
    message.valid_until.sec = math.floor(advice.valid_until)
    message.valid_until.nanosec = int(advice.valid_until % 1.0 * 1e9)
    return message


def reaction(fired: Fired, gaze: Position | None, score: float, header: Header) -> Reaction:
    """Return the message of a reaction.

    Args:
        fired: the rule and the person.
        gaze: target in the frame of the header; None without a head pose.
        score: attention score of the person.
        header: of the faces.
    """
    rule = fired.rule
    message = Reaction(
        header=header,
        track_id=fired.person.track_id,
        rule=rule.name,
        priority=rule.priority,
        emotion=fired.emotion,
        label=label_of(fired.emotion),
        intensity=fired.intensity,
        emotion_duration=duration(fired.held),
        behavior=rule.behavior,
        utterance=fired.utterance,
        expression=rule.expression,
        gaze_target_valid=gaze is not None,
        attention_score=score,
        why=fired.reason,
    )
    if gaze is not None:
        message.gaze_target = point(gaze)
    return message


def engagement_array(reports: Iterable[EngagementReport], header: Header) -> EngagementArray:
    """Return the message of the engagement of everybody in the image of the header."""
    people = [
        Engagement(
            track_id=report.track_id,
            level=int(report.level),
            level_duration=duration(report.level_held),
            looking_at_robot=report.looking,
            looking_for=duration(report.looking_for),
            angle=report.angle,
            by_gaze=report.by_gaze,
        )
        for report in reports
    ]
    return EngagementArray(header=header, people=people)


def point(position: Position) -> Point:
    """Return a point as a message."""
    x, y, z = position
    return Point(x=x, y=y, z=z)
