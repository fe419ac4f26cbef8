"""The faces of one image as plain, checked numbers: the input of the behaviours.

`take_snapshot` creates them from the pipeline's `FrameResult`, in nodes and in the demo alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, POLARITIES, POLARITY_UNKNOWN, UNKNOWN
from edan_ros.core.eyes import EYES_NOT_MEASURED, Eyes
from edan_ros.core.faces import CameraModel, Face, FrameResult
from edan_ros.core.head_pose import assumed_camera, estimate_pose

NAN = math.nan
FEAR = EMOTIONS.index("fear")
NEUTRAL = EMOTIONS.index("neutral")
NEGATIVE = POLARITIES.index("negative")


@dataclass(slots=True, frozen=True)
class FaceSnapshot:
    """One face in one image.

    Attributes:
        track_id: 1 or more.
        box: in pixels of the full image.
        emotion: index into EMOTIONS, or UNKNOWN.
        confidence: 0 to 1.
        probabilities: of the 7 emotions, each 0 to 1.
        polarity: index into POLARITIES, or POLARITY_UNKNOWN.
        valence, arousal: -1 to 1, NaN if unknown.
        yaw, pitch, roll: of the head against the optical axis in radians, as in
            core.faces.HeadPose; NaN if unknown.
        position: point between the eyes in the camera optical frame in metres, None if unknown.
        eye_aspect_ratio: height over width of the eyes' landmarks, 0 or more, about 0.3 for open
            eyes; NaN if unknown.
        mouth_opening: height between the lips over the width of the mouth, 0 or more; NaN if
            unknown.
        eye_quality: index into EYE_QUALITIES, 0 if no eye network has measured the eyes.
        eye_openness: mean of the measured eyes, 0 closed to 1 open, relative to the person's own
            open eyes; NaN if unknown.
        gaze: unit vector in the camera optical frame, None if unknown.
    """

    track_id: int
    box: Box
    emotion: int
    confidence: float
    probabilities: tuple[float, ...]
    polarity: int = POLARITY_UNKNOWN
    valence: float = NAN
    arousal: float = NAN
    yaw: float = NAN
    pitch: float = NAN
    roll: float = NAN
    position: tuple[float, float, float] | None = None
    eye_aspect_ratio: float = NAN
    mouth_opening: float = NAN
    eye_quality: int = EYES_NOT_MEASURED
    eye_openness: float = NAN
    gaze: tuple[float, float, float] | None = None


@dataclass(slots=True, frozen=True)
class Snapshot:
    """The faces of one image.

    Attributes:
        stamp: acquisition time in seconds.
        width, height: of the image in pixels, 1 or more.
        faces: the faces, not yet checked.
    """

    stamp: float
    width: int
    height: int
    faces: tuple[FaceSnapshot, ...] = ()

    def usable_faces(self) -> list[FaceSnapshot]:
        """Return the faces whose values are in their ranges, one per track."""
        tracks: set[int] = set()
        usable = []
        for face in self.faces:
            if face.track_id not in tracks and is_usable(face):
                tracks.add(face.track_id)
                usable.append(face)
        return usable


def is_usable(face: FaceSnapshot) -> bool:
    """Return whether the values of a face are in their ranges."""
    box = face.box
    return (
        face.track_id > 0
        and math.isfinite(box.x + box.y)
        and 0.0 < box.width < math.inf
        and 0.0 < box.height < math.inf
        and (0 <= face.emotion < len(EMOTIONS) or face.emotion == UNKNOWN)
        and (0 <= face.polarity < len(POLARITIES) or face.polarity == POLARITY_UNKNOWN)
        and 0.0 <= face.confidence <= 1.0
        and len(face.probabilities) == len(EMOTIONS)
        and 0.99 < sum(face.probabilities) < 1.01
        and min(face.probabilities) >= 0.0
        and (face.position is None or math.isfinite(sum(face.position)))
    )


def take_snapshot(result: FrameResult, stamp: float, *, assume_lens: bool = False) -> Snapshot:
    """Return the snapshot of one processed image.

    Args:
        result: the faces of the pipeline.
        stamp: acquisition time in seconds.
        assume_lens: estimate the angles of heads without a pose, for want of a calibration, with
            a usual lens. The distance stays unknown.
    """
    lens = assumed_camera(result.width, result.height) if assume_lens else None
    faces = tuple(face_snapshot(face, lens) for face in result.faces)
    return Snapshot(stamp, result.width, result.height, faces)


def face_snapshot(face: Face, lens: CameraModel | None = None) -> FaceSnapshot:
    """Return one face of the pipeline as a snapshot; ``lens`` is used where it has no pose."""
    pose = None if face.head_pose_assumed_lens else face.head_pose
    angles = estimate_pose(face.landmarks, lens) if pose is None and lens is not None else pose
    turned = (NAN, NAN, NAN) if angles is None else (angles.yaw, angles.pitch, angles.roll)
    return FaceSnapshot(
        face.track_id,
        face.box,
        face.emotion,
        face.confidence,
        tuple(face.probabilities.tolist()),
        face.polarity,
        face.valence,
        face.arousal,
        *turned,
        None if pose is None else tuple(pose.translation.tolist()),
        eye_aspect_ratio(face.landmarks),
        mouth_opening(face.landmarks),
        *((EYES_NOT_MEASURED, NAN, None) if face.eyes is None else _measured(face.eyes)),
    )


def _measured(eyes: Eyes) -> tuple[int, float, tuple[float, float, float] | None]:
    known = [value for value in eyes.openness.tolist() if not math.isnan(value)]
    gaze = None if eyes.gaze is None else tuple(eyes.gaze.tolist())
    return eyes.quality, sum(known) / len(known) if known else NAN, gaze


def eye_aspect_ratio(landmarks: NDArray[np.floating]) -> float:
    """Return the eye aspect ratio, the mean of both eyes, of (68, 2) landmarks; NaN without width.

    Soukupova & Cech, "Real-Time Eye Blink Detection using Facial Landmarks", 2016, equation 1.
    """
    points = landmarks[36:48].tolist()
    total = 0.0
    for eye in (points[:6], points[6:]):
        width = math.dist(eye[0], eye[3])
        if not width > 0.0:
            return NAN
        total += (math.dist(eye[1], eye[5]) + math.dist(eye[2], eye[4])) / (2.0 * width)
    return 0.5 * total


def mouth_opening(landmarks: NDArray[np.floating]) -> float:
    """Return the mean height between the lips over the width of the mouth of (68, 2) landmarks.

    NaN for a mouth without width.
    """
    points = landmarks.tolist()
    width = math.dist(points[48], points[54])
    if not width > 0.0:
        return NAN
    return sum(math.dist(points[61 + i], points[67 - i]) for i in range(3)) / (3.0 * width)
