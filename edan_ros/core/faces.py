"""The records that travel through the pipeline: boxes, detections, faces, results.

All coordinates are pixels of the full image, x to the right and y down, pixel centres at integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edan_ros.core.crops import Crop
    from edan_ros.core.images import ImageError


@dataclass(slots=True, frozen=True)
class Box:
    """An upright rectangle: top-left corner and size, in pixels; may reach over the border."""

    x: float
    y: float
    width: float
    height: float

    @staticmethod
    def from_landmarks(landmarks: NDArray[np.floating]) -> Box:
        """The tight box of (n, 2) points: what this project means by a face's box."""
        x0, y0 = landmarks.min(axis=0)
        x1, y1 = landmarks.max(axis=0)
        return Box(float(x0), float(y0), float(x1 - x0), float(y1 - y0))

    @property
    def center(self) -> tuple[float, float]:
        """x and y of the middle."""
        return self.x + 0.5 * self.width, self.y + 0.5 * self.height

    @property
    def area(self) -> float:
        """Square pixels; 0 for a box of no or negative size."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def size(self) -> float:
        """The face size: mean of width and height."""
        return 0.5 * (self.width + self.height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0.0 or height <= 0.0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def clipped(self, width: int, height: int) -> Box:
        """The part inside an image of this size, of size zero when there is none."""
        x0, x1 = (min(max(v, 0.0), float(width)) for v in (self.x, self.x + self.width))
        y0, y1 = (min(max(v, 0.0), float(height)) for v in (self.y, self.y + self.height))
        return Box(x0, y0, x1 - x0, y1 - y0)


@dataclass(slots=True, frozen=True)
class Detection:
    """A face that a detector found.

    box: by definition of this project the tight box of the 68 landmarks, whatever rectangle the
    detector itself reports. score: 0 to 1. roll: radians, positive is clockwise on the screen,
    0 where the detector does not know it. points: (5, 2) eye on the image's left, eye on its
    right, nose tip, mouth corner on its left and on its right, or None where the detector does
    not give them.
    """

    box: Box
    score: float = 1.0
    roll: float = 0.0
    points: NDArray[np.float64] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Observation:
    """The model's output for one crop, in image coordinates.

    Attributes:
        crop: the region that the model was given.
        landmarks: (68, 2) in image pixels, iBUG order.
        probabilities: (7,) of the emotions in this image, unsmoothed.
        presence: probability, 0 to 1, that the crop shows a face.
        attention: (7, h, w) contribution of each location of the crop, at least 0.
    """

    crop: Crop
    landmarks: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    presence: float
    attention: NDArray[np.float32]


@dataclass(slots=True)
class HeadPose:
    """Where a head is and how it is turned.

    The camera optical frame has z forward, x right, y down (REP-103). The face frame has its
    origin between the eyes, x forward out of the face, y to the person's left, z up.

    rotation: (3, 3), face axes in the camera optical frame (p_camera = rotation @ p_face +
    translation). translation: (3,) metres.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @property
    def yaw(self) -> float:
        """Radians; 0 looks along the optical axis, positive turns towards the image's right."""
        forward = self.rotation[:, 0]
        return math.atan2(forward[0], -forward[2])

    @property
    def pitch(self) -> float:
        """Radians; 0 is level, positive looks up."""
        forward = self.rotation[:, 0]
        return math.atan2(-forward[1], math.hypot(forward[0], forward[2]))

    @property
    def roll(self) -> float:
        """Radians; 0 is upright, positive is clockwise on the screen."""
        # The vertical parts of the face's left and up axes give the turn about its forward axis.
        return math.atan2(self.rotation[1, 1], -self.rotation[1, 2])

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """(x, y, z, w) of the rotation, with w >= 0."""
        m = self.rotation
        # Shepperd's method: divide by the largest of the four components.
        squares = np.array(
            [
                1 + m[0, 0] - m[1, 1] - m[2, 2],
                1 - m[0, 0] + m[1, 1] - m[2, 2],
                1 - m[0, 0] - m[1, 1] + m[2, 2],
                1 + m[0, 0] + m[1, 1] + m[2, 2],
            ]
        )
        k = int(np.argmax(squares))
        xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
        wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
        rows = [
            [squares[0], xy, xz, wx],
            [xy, squares[1], yz, wy],
            [xz, yz, squares[2], wz],
            [wx, wy, wz, squares[3]],
        ]
        q = np.array(rows[k])
        q /= np.linalg.norm(q)
        if q[3] < 0:
            q = -q
        return float(q[0]), float(q[1]), float(q[2]), float(q[3])


@dataclass(slots=True)
class CameraModel:
    """Intrinsics of a camera, as in sensor_msgs/CameraInfo.

    width, height: pixels of the calibrated image. K: (3, 3). D: (n,) distortion coefficients.
    model: "plumb_bob", "rational_polynomial" or "equidistant".
    """

    width: int
    height: int
    K: NDArray[np.float64]
    D: NDArray[np.float64]
    model: str = "plumb_bob"


@dataclass(slots=True)
class Face:
    """One face in one image.

    track_id: stable while the face is followed, never reused. presence: 0 to 1, that this is a
    face. landmarks: (68, 2) in iBUG order. emotion: index into EMOTIONS or UNKNOWN, with its
    label. confidence: smoothed probability of that emotion, of the strongest while it is UNKNOWN.
    probabilities: (7,) smoothed; raw_probabilities: (7,) of this image alone. polarity: index
    into POLARITIES or POLARITY_UNKNOWN; polarity_probabilities: (3,). valence, arousal: -1 to 1,
    NaN for a head turned too far. head_pose: None where no pose explains the landmarks;
    head_pose_assumed: whether it rests on an assumed lens, for want of a calibration, so that angles
    are approximate and distances unreliable. action_units: name -> intensity 0 to 1. emfacs_consistency: their
    agreement with the emotion, 0 to 1, NaN where unknown. crop: what the network
    saw of this image. attention: (7, h, w) >= 0, over that crop. unknown_reason: index into
    UNKNOWN_REASONS. intensity: 0 to 1, distance from the resting face, NaN where unknown.
    baseline_seconds: seconds of observation behind the resting baseline, 0 where it is off.
    """

    track_id: int
    box: Box
    presence: float
    landmarks: NDArray[np.float32]
    emotion: int
    label: str
    confidence: float
    probabilities: NDArray[np.float64]
    raw_probabilities: NDArray[np.float64]
    polarity: int
    polarity_probabilities: NDArray[np.float64]
    valence: float
    arousal: float
    head_pose: HeadPose | None = None
    head_pose_assumed: bool = False
    action_units: dict[str, float] = field(default_factory=dict)
    emfacs_consistency: float = math.nan
    attention: NDArray[np.float32] | None = None
    crop: Crop | None = None
    unknown_reason: int = 0
    intensity: float = math.nan
    baseline_seconds: float = 0.0


@dataclass(slots=True)
class FrameResult:
    """Everything found in one image.

    faces: ordered by track_id. width, height: pixels of the image. timings_ms: stage ->
    milliseconds; "infer" is the time of the whole batch, which all its images waited for.
    detected: whether the detector ran on this image. remarks: what was wrong about it or its
    camera_info, or unusual: ImageErrors of reason "stamp", "camera_info" or the image's own.
    """

    faces: list[Face]
    width: int
    height: int
    timings_ms: dict[str, float] = field(default_factory=dict)
    detected: bool = False
    remarks: list[ImageError] = field(default_factory=list)
