"""Openness and gaze of the eyes of a face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Visibility of the eyes; the index is the constant EYES_* of edan_ros/msg/FaceEmotion.
EYE_QUALITIES: tuple[str, ...] = ("", "visible", "glasses_glare", "occluded", "too_small")
#: Index of the quality of a face whose eyes are not measured.
EYES_NOT_MEASURED = 0
#: Radius of an eyeball over the distance of the outer eye corners: 12 over 90 mm.
_EYEBALL = 12.0 / 90.0


def pupils(landmarks: NDArray[np.floating], yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return where the pupils of the right and left eye are, (2, 2) in image pixels.

    The eyeballs turn by the gaze about centres behind the middle of each eye, under scaled
    orthography.

    Args:
        landmarks: (68, 2) in image pixels, iBUG order.
        yaw, pitch: of the gaze in the head in radians, as in Eyes.
    """
    points = np.asarray(landmarks, np.float64)
    middles = points[36:48].reshape(2, 6, 2).mean(axis=1)
    across = _EYEBALL * (points[45] - points[36])  # towards the person's left
    up = np.array([across[1], -across[0]])
    turned = math.sin(yaw) * math.cos(pitch) * across + math.sin(pitch) * up
    return np.asarray(middles + turned)


@dataclass(slots=True)
class Eyes:
    """The eyes of one face in one image.

    Attributes:
        openness: (2,) of the person's right and left eye (landmarks 36 to 41 and 42 to 47), 0
            closed to 1 open, relative to the person's own open eye; NaN where not measured.
        quality: index into EYE_QUALITIES, 1 or more, of the better visible eye.
        gaze: (3,) unit vector in the camera optical frame, the mean of both eyes; None where it
            is not measured.
        yaw: radians of the gaze in the head, 0 straight ahead out of the face, positive towards
            the person's left; NaN where it is not measured.
        pitch: radians of the gaze in the head, positive up; NaN where it is not measured.
    """

    openness: NDArray[np.float32]
    quality: int
    gaze: NDArray[np.float64] | None = None
    yaw: float = math.nan
    pitch: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the eyes as plain numbers, as ``Face.to_dict`` does; angles in degrees."""
        gaze = self.gaze
        return {
            "openness": [None if math.isnan(v) else round(float(v), 4) for v in self.openness],
            "quality": EYE_QUALITIES[self.quality],
            "gaze": None if gaze is None else [round(float(v), 4) for v in gaze],
            "yaw": None if gaze is None else round(math.degrees(self.yaw), 2),
            "pitch": None if gaze is None else round(math.degrees(self.pitch), 2),
        }
