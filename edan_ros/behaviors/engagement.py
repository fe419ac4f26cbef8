"""Engagement of people with the robot: who looks at it, since when, and in which of four phases.

The direction of a person is that of the gaze, or of the head where the eyes are not measured. It
points at the robot if its angle to the line from the eyes to the robot's head is within a cone; the
cone is larger while the person looks at the robot. That the eyes point somewhere does not mean that
the person attends to it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Debounced
from edan_ros.core.head_pose import assumed_camera
from edan_ros.core.settings import CheckedSettings, number, seconds

Vector = tuple[float, float, float]

#: Openness up to which a person looks nowhere: the lids hide the irises.
CLOSED = 0.25
#: Seconds for which the last direction stands in while the eyes are closed, as in a blink, or
#: nothing can be measured.
BRIDGE = 0.5
#: Seconds between two images of a person above which durations start at zero, and without any
#: after which the person is dropped.
GAP, LOST = 1.0, 1.5


class Level(enum.IntEnum):
    """The constants of edan_ros/msg/Engagement and hri_msgs/EngagementLevel."""

    UNKNOWN = 0
    DISENGAGED = 1
    ENGAGING = 2
    ENGAGED = 3
    DISENGAGING = 4


@dataclass(frozen=True)
class EngagementSettings(CheckedSettings):
    """When a person looks at the robot, and when that is engagement."""

    gaze_cone: float = number(
        0.25,
        0.05,
        1.0,
        "largest angle between the eyes' direction and the line to the robot at which a person "
        "begins to look at it",
        "rad",
    )
    head_cone: float = number(
        0.35, 0.05, 1.0, "the same for the direction of a head whose eyes are not measured", "rad"
    )
    leave: float = number(
        1.3, 1.0, 3.0, "factor on these angles above which a person no longer looks at the robot"
    )
    settle: float = seconds(
        0.2, 0.0, 2.0, "time for which a look or its end must last before it counts"
    )
    engage_after: float = seconds(
        1.0, 0.0, 30.0, "time of looking at the robot after which a person is engaged"
    )
    disengage_after: float = seconds(
        2.0, 0.0, 60.0, "time of looking elsewhere after which an engaged person is disengaged"
    )
    robot_x: float = number(
        0.0,
        -2.0,
        2.0,
        "position of the robot's head in the optical frame of the camera, to the right; used where "
        "the distance of a face is known",
        "m",
    )
    robot_y: float = number(0.0, -2.0, 2.0, "the same, down", "m")
    robot_z: float = number(0.0, -2.0, 2.0, "the same, along the optical axis", "m")

    @property
    def robot(self) -> Vector:
        """Position of the robot's head in the camera optical frame in metres."""
        return self.robot_x, self.robot_y, self.robot_z


def gaze_of(face: FaceSnapshot) -> Vector | None:
    """Return the direction of the eyes in the camera optical frame, None if it is not measured."""
    gaze = face.gaze
    return gaze if gaze is not None and 0.0 < math.hypot(*gaze) < math.inf else None


def head_of(face: FaceSnapshot) -> Vector | None:
    """Return the unit vector out of the face in the camera optical frame, None if unknown."""
    if not math.isfinite(face.yaw + face.pitch):
        return None
    # Yaw and pitch are those of the forward axis in the optical frame (core.faces.HeadPose).
    across = math.cos(face.pitch)
    return math.sin(face.yaw) * across, -math.sin(face.pitch), -math.cos(face.yaw) * across


def line_to(face: FaceSnapshot, image: Snapshot, point: Vector = (0.0, 0.0, 0.0)) -> Vector:
    """Return a vector from the eyes of a face to a point in the camera optical frame, in metres.

    Without the position of the face it is the line of sight to the camera through the centre of
    its box and an assumed lens (`core.head_pose.assumed_camera`), without a scale.
    """
    if face.position is not None:
        x, y, z = face.position
        return point[0] - x, point[1] - y, point[2] - z
    (fx, _, cx), (_, fy, cy) = assumed_camera(image.width, image.height).K[:2].tolist()
    box = face.box
    x, y = box.x + 0.5 * box.width, box.y + 0.5 * box.height
    return (cx - x) / fx, (cy - y) / fy, -1.0


def angle_between(first: Vector, second: Vector) -> float:
    """Return the angle between two vectors, 0 to pi; pi if one has no length."""
    length = math.hypot(*first) * math.hypot(*second)
    if not length:
        return math.pi
    x, y, z = (a * b for a, b in zip(first, second, strict=True))
    return math.acos(min(max((x + y + z) / length, -1.0), 1.0))


@dataclass(frozen=True)
class EngagementReport:
    """One person as in edan_ros/msg/Engagement. Times in seconds, the angle in radians."""

    track_id: int
    level: Level
    level_held: float
    looking: bool
    looking_for: float
    angle: float
    by_gaze: bool


class Engagement:
    """The engagement of one person. Stamps must not go back.

    Attributes:
        level: the phase.
        episode: how often the person has become engaged.
        report: as of the newest image.
    """

    def __init__(self, settings: EngagementSettings) -> None:
        self.settings = settings
        self.level = Level.UNKNOWN
        self.episode = 0
        self.report: EngagementReport
        s = settings.settle
        #: Whether the person looks at the robot; None while that is unknown.
        self._looks: Debounced[bool | None] = Debounced(None, settle=s, forget=s + GAP, gap=GAP)
        self._newest = self._measured = -math.inf
        self._last: bool | None = None  # the last measurement, for the hysteresis and blinks
        self._since = -math.inf

    def update(self, face: FaceSnapshot, image: Snapshot) -> EngagementReport:
        """Add the face of the person in an image and return the engagement then."""
        s, stamp = self.settings, image.stamp
        gaze = gaze_of(face)
        direction = head_of(face) if gaze is None else gaze
        line = line_to(face, image, s.robot)
        angle = math.nan if direction is None else angle_between(direction, line)
        if stamp - self._newest > GAP:
            self._last, self._since = None, stamp
        self._newest = stamp
        looks = self._looks.update(self._measure(face, angle, gaze is not None, stamp), stamp)
        held = self._looks.held(stamp)
        self._set(self._next(looks, held), stamp)
        self.report = EngagementReport(
            face.track_id,
            self.level,
            max(0.0, stamp - self._since),
            looks is True,
            held if looks else 0.0,
            angle,
            gaze is not None,
        )
        return self.report

    def _measure(
        self, face: FaceSnapshot, angle: float, by_gaze: bool, stamp: float
    ) -> bool | None:
        """Return whether the person looks at the robot in this image; None if unknown."""
        closed = face.eye_openness <= CLOSED
        if not closed and not math.isnan(angle):
            cone = self.settings.gaze_cone if by_gaze else self.settings.head_cone
            self._last = angle <= cone * (self.settings.leave if self._last else 1.0)
            self._measured = stamp
        elif stamp - self._measured > BRIDGE:
            self._last = False if closed else None
        return self._last

    def _next(self, looks: bool | None, held: float) -> Level:
        """Return the phase; a look that may just be ending, or beginning, promotes nobody."""
        s, lasts = self.settings, looks is self._last
        was_engaged = self.level in (Level.ENGAGED, Level.DISENGAGING)
        if looks is None:
            return Level.UNKNOWN
        if looks:
            engaged = was_engaged or (lasts and held >= s.engage_after)
            return Level.ENGAGED if engaged else Level.ENGAGING
        if was_engaged and not (lasts and held >= s.disengage_after):
            return Level.DISENGAGING
        return Level.DISENGAGED

    def _set(self, level: Level, stamp: float) -> None:
        if level is self.level:
            return
        if level is Level.ENGAGED and self.level is not Level.DISENGAGING:
            self.episode += 1
        self.level, self._since = level, stamp


class EngagementMonitor:
    """The engagement of everybody in view, by track. Stamps of snapshots must not go back.

    Attributes:
        reports: of the faces in the newest snapshot, in its order.
    """

    def __init__(self, settings: EngagementSettings) -> None:
        self.settings = settings
        self.reports: tuple[EngagementReport, ...] = ()
        self._people: dict[int, Engagement] = {}
        self._last_stamps: dict[int, float] = {}

    @property
    def people(self) -> Mapping[int, Engagement]:
        """Everybody in view or visible a moment ago, by track."""
        return self._people

    def observe(self, snapshot: Snapshot) -> None:
        """Add the faces of one image."""
        oldest = snapshot.stamp - LOST
        self._last_stamps = {
            track: stamp for track, stamp in self._last_stamps.items() if stamp >= oldest
        }
        self._people = {track: self._people[track] for track in self._last_stamps}
        reports = []
        for face in snapshot.usable_faces():
            track = face.track_id
            person = self._people.setdefault(track, Engagement(self.settings))
            self._last_stamps[track] = snapshot.stamp
            reports.append(person.update(face, snapshot))
        self.reports = tuple(reports)

    def level(self, track_id: int) -> Level:
        """Return the phase of the person with this track, UNKNOWN for nobody."""
        person = self._people.get(track_id)
        return Level.UNKNOWN if person is None else person.level
