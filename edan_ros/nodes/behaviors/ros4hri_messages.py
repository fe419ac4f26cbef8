"""Faces as messages of ROS4HRI (REP-155). The functions take hri_msgs.msg as an argument."""

from __future__ import annotations

import math
import re
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from std_msgs.msg import Header

from edan_ros.core.emotions import UNKNOWN
from edan_ros.core.eyes import pupils
from edan_ros.msg import FaceEmotion

#: Names in hri_msgs/Expression, in the order of the constants of FaceEmotion.
EXPRESSIONS = ("neutral", "happy", "sad", "surprised", "scared", "disgusted", "angry")
#: Landmark of the right pupil in hri_msgs/FacialLandmarks, which iBUG lacks; the left one follows.
PUPIL = 68
#: Openness above which a pupil is visible.
VISIBLE = 0.2


def expression(
    messages: ModuleType,
    header: Header,
    emotion: int,
    confidence: float,
    valence: float = float("nan"),
    arousal: float = float("nan"),
) -> Any:
    """Return an Expression; UNKNOWN has an empty name and confidence 0."""
    known = emotion != UNKNOWN
    return messages.Expression(
        header=header,
        expression=EXPRESSIONS[emotion] if known else "",
        valence=valence,
        arousal=arousal,
        confidence=confidence if known else 0.0,
    )


def region(messages: ModuleType, header: Header, face: FaceEmotion, size: tuple[int, int]) -> Any:
    """Return a NormalizedRegionOfInterest2D of a face in an image of size (width, height)."""
    width, height = size
    roi = face.roi
    return messages.NormalizedRegionOfInterest2D(
        header=header,
        xmin=_share(roi.x_offset, width),
        ymin=_share(roi.y_offset, height),
        xmax=_share(roi.x_offset + roi.width, width),
        ymax=_share(roi.y_offset + roi.height, height),
        c=face.presence,
    )


def landmarks(
    messages: ModuleType, header: Header, face: FaceEmotion, size: tuple[int, int]
) -> Any:
    """Return the FacialLandmarks of a face in an image of size (width, height).

    A point outside the image is moved to its border and has confidence 0. Pupils follow from the
    gaze; where it is not measured they are the centres of the eyes, and have confidence 0 as those
    of closed eyes have.
    """
    width, height = size
    points, image = np.zeros((70, 3)), np.array([width, height])
    points[:68, 0], points[:68, 1] = face.landmarks_x, face.landmarks_y
    gaze = (face.gaze_yaw, face.gaze_pitch) if face.gaze_valid else (0.0, 0.0)
    points[PUPIL:, :2] = pupils(points[:68, :2], *gaze)
    points[:, :2] /= image
    inside = np.all((points[:, :2] >= 0.0) & (points[:, :2] <= 1.0), axis=1)
    points[:, 2] = np.where(inside, face.presence, 0.0)
    visible = np.asarray(face.eye_openness) > VISIBLE
    points[PUPIL:, 2] *= visible if face.gaze_valid else 0.0
    points[:, :2] = np.clip(points[:, :2], 0.0, 1.0)
    message = messages.FacialLandmarks(header=header, width=width, height=height)
    message.landmarks = [
        messages.NormalizedPointOfInterest2D(x=x, y=y, c=c) for x, y, c in points.tolist()
    ]
    return message


def action_units(messages: ModuleType, header: Header, face: FaceEmotion) -> Any:
    """Return the FacialActionUnits of a face; units without an estimate have confidence 0."""
    message = messages.FacialActionUnits(header=header)
    for name, intensity in zip(face.action_units, face.action_unit_intensities, strict=True):
        match = re.fullmatch(r"AU(\d{1,2})", name)
        if match is not None and int(match[1]) < len(message.intensity):
            message.intensity[int(match[1])] = intensity
            message.confidence[int(match[1])] = face.presence
    return message


def frames(header: Header, face: FaceEmotion, face_id: str) -> list[TransformStamped]:
    """Return the TF frames face_<id> and gaze_<id> of a face; none without a head pose.

    The gaze is that of the head where the eyes are not measured, as REP-155 says.
    """
    if not face.head_pose_valid:
        return []
    head = TransformStamped(header=header, child_frame_id=f"face_{face_id}")
    at, turned = face.head_pose.position, face.head_pose.orientation
    head.transform.translation = Vector3(x=at.x, y=at.y, z=at.z)
    head.transform.rotation = turned
    gaze = TransformStamped(child_frame_id=f"gaze_{face_id}")
    gaze.header = Header(stamp=header.stamp, frame_id=head.child_frame_id)
    yaw, pitch = (face.gaze_yaw, face.gaze_pitch) if face.gaze_valid else (0.0, 0.0)
    gaze.transform.rotation = gaze_rotation(yaw, pitch)
    return [head, gaze]


def gaze_rotation(yaw: float, pitch: float) -> Quaternion:
    """Return the rotation from the axes of a face (x forward, y left, z up) to those of its gaze.

    The gaze has z forward, x right and y down; yaw to the person's left and pitch up in radians.
    """
    # Rz(yaw) Ry(-pitch), times the rotation between the two conventions, (-1, 1, -1, 1) / 2.
    c, s = math.cos(0.5 * yaw), math.sin(0.5 * yaw)
    u, v = math.cos(0.5 * pitch), math.sin(0.5 * pitch)
    x, y, z, w = s * v, -c * v, s * u, c * u
    return Quaternion(
        x=0.5 * (-w + x - y - z),
        y=0.5 * (w + x + y - z),
        z=0.5 * (-w + x + y + z),
        w=0.5 * (w + x - y + z),
    )


def _share(pixels: int, size: int) -> float:
    return min(max(pixels / size, 0.0), 1.0)
