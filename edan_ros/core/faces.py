"""The types of a face's path through the pipeline: Detection, Observation and Face.

``tracking`` adds the two types between them, Candidate and Track. All coordinates are pixels of
the full image, x to the right and y down, with pixel centres at integers.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import POLARITIES, UNKNOWN_LABEL, UNKNOWN_REASONS
from edan_ros.core.eyes import Eyes
from edan_ros.core.images import ImageError


@dataclass(slots=True, frozen=True)
class Detection:
    """A face found by a detector.

    Attributes:
        box: tight box of the 68 landmarks, whatever box the detector itself defines.
        score: confidence, 0 to 1.
        roll: in-plane rotation in radians, positive clockwise on the screen; 0 where unknown.
        points: (5, 2) eye on the image's left, eye on its right, nose tip, mouth corner on its
            left and on its right; None where the detector gives none.
    """

    box: Box
    score: float = 1.0
    roll: float = 0.0
    points: NDArray[np.float64] | None = field(default=None, compare=False)

    def crop(self) -> Crop:
        """Return the crop of a mean face at the five points, or else in the box at the roll.

        On 1207 photographs (landmarks68) the centre of YuNet's crop is 2.4 % of the side from
        that of the landmarks with the five points, and 5.9 % without. Raises ValueError when the
        box is empty.
        """
        if self.points is not None:
            return Crop.from_five_points(self.points)
        return Crop.from_box(self.box, self.roll)


@dataclass(slots=True)
class Observation:
    """The model's output for one crop, in image coordinates.

    Attributes:
        crop: the region that the model was given.
        landmarks: (68, 2) in image pixels, iBUG order.
        logits: (7,) of the emotions in this image, without the class prior.
        probabilities: (7,) of the emotions in this image, unsmoothed.
        presence: probability, 0 to 1, that the crop shows a face.
        attention: (7, h, w) contribution of each location of the crop, at least 0.
    """

    crop: Crop
    landmarks: NDArray[np.float64]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    presence: float
    attention: NDArray[np.float32]


@dataclass(slots=True)
class HeadPose:
    """Position and orientation of a head.

    The camera optical frame has z forward, x right, y down (REP-103). The face frame has its
    origin between the eyes, x forward out of the face, y to the person's left, z up.

    Attributes:
        rotation: (3, 3), face axes in the camera optical frame: p_camera = rotation @ p_face +
            translation.
        translation: (3,) in metres.
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
        # The vertical components of the face's left and up axes give the roll.
        return math.atan2(self.rotation[1, 1], -self.rotation[1, 2])

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """(x, y, z, w) of the rotation, with w >= 0."""
        # SciPy's Rotation takes ten times as long, 86 instead of 8 us for each face published.
        vector = cv2.Rodrigues(self.rotation)[0].ravel()
        angle = float(np.linalg.norm(vector))  # 0 to pi
        x, y, z = (0.5 * np.sinc(0.5 * angle / np.pi) * vector).tolist()
        return x, y, z, math.cos(0.5 * angle)


@dataclass(slots=True)
class CameraModel:
    """Intrinsics of a camera, as in sensor_msgs/CameraInfo.

    Attributes:
        width: width of the calibrated image in pixels.
        height: its height in pixels.
        K: (3, 3) camera matrix.
        D: (n,) distortion coefficients.
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

    Attributes:
        track_id: constant while the face is tracked, never reused.
        box: tight box of the landmarks.
        presence: probability, 0 to 1, that this is a face.
        landmarks: (68, 2) in image pixels, iBUG order.
        emotion: index into EMOTIONS, or UNKNOWN.
        label: name of the emotion, or "unknown".
        confidence: smoothed probability of the emotion; of the most probable one while the
            emotion is UNKNOWN.
        probabilities: (7,) smoothed over time.
        raw_probabilities: (7,) of this image alone.
        polarity: index into POLARITIES, or POLARITY_UNKNOWN.
        polarity_probabilities: (3,) smoothed over time.
        valence: unpleasant to pleasant, -1 to 1; NaN for a head turned too far.
        arousal: calm to excited, -1 to 1; NaN for a head turned too far.
        head_pose: in the camera optical frame; None where no pose explains the landmarks.
        head_pose_assumed_lens: whether the pose rests on an assumed lens because the camera is not
            calibrated: angles are then approximate and distances unreliable.
        action_units: intensity, 0 to 1, of each action unit; empty for a head turned too far.
        emfacs_consistency: agreement of action units and emotion, 0 to 1; NaN where unknown.
        attention: (7, h, w) contribution of each location of the crop, at least 0.
        crop: the region that the model was given.
        unknown_reason: index into UNKNOWN_REASONS.
        intensity: distance from the resting face, 0 to 1; NaN where unknown.
        baseline_seconds: seconds of observation behind the resting baseline; 0 while it is off.
        logits: (7,) of this image alone, without the class prior; input of the second pass over a
            recording (``offline.two_pass``), as is the next.
        excluded: index into UNKNOWN_REASONS: reason for which the smoothing leaves this image out,
            0 if it is used.
        age: seconds since the image in which the face was measured; 0 for this image. Above 0 the
            face was carried on under load: moved as predicted, everything else as it was.
        eyes: openness, gaze and quality of the eyes; None where they are not measured.
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
    head_pose_assumed_lens: bool = False
    action_units: dict[str, float] = field(default_factory=dict)
    emfacs_consistency: float = math.nan
    attention: NDArray[np.float32] | None = None
    crop: Crop | None = None
    unknown_reason: int = 0
    intensity: float = math.nan
    baseline_seconds: float = 0.0
    logits: NDArray[np.float32] | None = None
    excluded: int = 0
    age: float = 0.0
    eyes: Eyes | None = None

    def __repr__(self) -> str:
        """Return one line: the arrays of a face would fill the screen."""
        x, y, width, height = _rounded(astuple(self.box), 1)
        return (
            f"Face(track_id={self.track_id}, label={self.label!r}, "
            f"confidence={self.confidence:.2f}, intensity={self.intensity:.2f}, "
            f"box=Box({x=}, {y=}, {width=}, {height=}))"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the face as plain Python numbers, strings, lists and dictionaries.

        The result can be serialised as JSON: values that are NaN in the record are None. Pixels
        and degrees are rounded to 2 decimals, everything else to 4.

        Returns:
            A dictionary with these keys:

            - ``track_id``: int.
            - ``box``: [x, y, width, height] in pixels.
            - ``roi``: the same in whole pixels.
            - ``presence``: 0 to 1.
            - ``label``: name of the emotion, or "unknown".
            - ``unknown_reason``: name of the reason, of UNKNOWN_REASONS; "" for a known emotion.
            - ``confidence``: 0 to 1.
            - ``probabilities``, ``raw_probabilities``: 7 numbers in the order of EMOTIONS.
            - ``polarity``: "neutral", "positive", "negative" or "unknown".
            - ``polarity_probabilities``: 3 numbers in the order of POLARITIES.
            - ``valence``, ``arousal``: -1 to 1, or None.
            - ``intensity``: 0 to 1, or None.
            - ``baseline_seconds``: seconds.
            - ``head_pose``: None, or a dictionary with ``yaw``, ``pitch`` and ``roll`` in degrees
              and ``position``, [x, y, z] in metres in the camera optical frame.
            - ``head_pose_assumed_lens``: whether the pose rests on an assumed lens.
            - ``action_units``: name -> intensity, 0 to 1.
            - ``emfacs_consistency``: 0 to 1, or None.
            - ``landmarks``: 68 pairs [x, y] in pixels.
            - ``eyes``: None, or a dictionary with ``openness``, two numbers, 0 to 1, or None;
              ``quality``, one of EYE_QUALITIES; ``gaze``, a unit vector [x, y, z] in the camera
              optical frame, or None; ``yaw`` and ``pitch`` of the gaze in the head in degrees, or
              None.
            - ``age``: seconds since the face was measured; only where it is above 0.
        """
        box = (self.box.x, self.box.y, self.box.width, self.box.height)
        # Pixel centres are at integers, so pixel n covers n - 0.5 to n + 0.5.
        x0, y0 = math.floor(box[0] + 0.5), math.floor(box[1] + 0.5)
        x1, y1 = math.ceil(box[0] + box[2] + 0.5), math.ceil(box[1] + box[3] + 0.5)
        values = {
            "track_id": int(self.track_id),
            "box": _rounded(box, 2),
            "roi": [x0, y0, x1 - x0, y1 - y0],
            "presence": _number(self.presence),
            "label": self.label,
            "unknown_reason": UNKNOWN_REASONS[self.unknown_reason],
            "confidence": _number(self.confidence),
            "probabilities": _rounded(self.probabilities),
            "raw_probabilities": _rounded(self.raw_probabilities),
            "polarity": polarity_name(self.polarity),
            "polarity_probabilities": _rounded(self.polarity_probabilities),
            "valence": _number(self.valence),
            "arousal": _number(self.arousal),
            "intensity": _number(self.intensity),
            "baseline_seconds": _number(self.baseline_seconds),
            "head_pose": None if self.head_pose is None else _pose_dict(self.head_pose),
            "head_pose_assumed_lens": bool(self.head_pose_assumed_lens),
            "action_units": {name: _number(value) for name, value in self.action_units.items()},
            "emfacs_consistency": _number(self.emfacs_consistency),
            "landmarks": [_rounded(point, 2) for point in self.landmarks],
            "eyes": None if self.eyes is None else self.eyes.to_dict(),
        }
        return values | {"age": _number(self.age)} if self.age else values


@dataclass(slots=True)
class FrameResult:
    """Everything found in one image.

    Attributes:
        faces: ordered by track_id.
        width, height: size of the image in pixels.
        timings_ms: milliseconds per stage; "infer" is the time of the whole batch.
        detected: whether the detector ran on this image.
        warnings: defects of the image, its stamp or its camera_info that did not prevent
            processing: ImageErrors of reason "stamp", "camera_info" or those of ``Image.warning``.
        cut: whether another shot begins with this image, so that all tracks are new.
        omitted: number of faces that were found but left out because of ``max_faces``.
    """

    faces: list[Face]
    width: int
    height: int
    timings_ms: dict[str, float] = field(default_factory=dict)
    detected: bool = False
    warnings: list[ImageError] = field(default_factory=list)
    cut: bool = False
    omitted: int = 0


def polarity_name(polarity: int) -> str:
    """Return the name of an index into POLARITIES; "unknown" for POLARITY_UNKNOWN."""
    return POLARITIES[polarity] if polarity < len(POLARITIES) else UNKNOWN_LABEL


def _pose_dict(pose: HeadPose) -> dict[str, Any]:
    angles = {"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll}
    degrees = {name: round(math.degrees(angle), 2) for name, angle in angles.items()}
    return {**degrees, "position": _rounded(pose.translation)}


def _number(value: float, digits: int = 4) -> float | None:
    return None if math.isnan(value) else round(float(value), digits)


def _rounded(values: Any, digits: int = 4) -> list[float | None]:
    return [_number(value, digits) for value in values]
