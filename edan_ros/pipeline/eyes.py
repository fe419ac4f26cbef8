"""Openness and gaze of the eyes of faces that were recognised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.eye_crops import (
    YAW_SIGNS,
    EyePlaces,
    angles_of,
    extract_eyes,
    vector_of,
    view_frames,
)
from edan_ros.core.eyes import EYE_QUALITIES, Eyes
from edan_ros.core.faces import CameraModel, Face
from edan_ros.core.head_pose import assumed_camera
from edan_ros.core.images import Image
from edan_ros.core.inference import EyeEngine

#: Image pixels between the corners below which an eye is too small.
MIN_EYE_WIDTH = 8.0
#: Share of the width of the other eye below which the turned head hides an eye.
_MIN_SHARE = 0.4
#: Openness below which an eye shows too little of the iris for its gaze.
_GAZE_OPENNESS = 0.25
#: Median openness of open eyes in photographs, and limits for a person's own.
_POPULATION, _LOWEST, _HIGHEST = 0.8, 0.55, 1.0
#: Seconds in which the estimate follows a wider and a narrower eye by 63 %.
_RISE, _FALL = 4.0, 30.0
_BLINK = 0.6
_VISIBLE = EYE_QUALITIES.index("visible")
_OCCLUDED = EYE_QUALITIES.index("occluded")
_TOO_SMALL = EYE_QUALITIES.index("too_small")


@dataclass(slots=True)
class OpenEyes:
    """Estimate of the network's openness for the open eyes of one person.

    It rises to a wider eye within seconds and falls slowly; blinks and closed eyes, below
    ``_BLINK`` of it, leave it as it is. Bounded, so that eyes that stay half closed do not become
    open ones.

    Attributes:
        levels: of the right and left eye; at first that of the population.
    """

    levels: list[float] = field(default_factory=lambda: [_POPULATION, _POPULATION])

    def relative(self, eye: int, openness: float, elapsed: float) -> float:
        """Update the estimate of an eye and return the openness relative to it, 0 to 1.

        Args:
            eye: 0 right, 1 left.
            openness: by the network.
            elapsed: seconds since the last image.
        """
        level = self.levels[eye]
        if openness > _BLINK * level:
            time = _RISE if openness > level else _FALL
            level += (openness - level) * (1.0 - math.exp(-elapsed / time))
            self.levels[eye] = min(max(level, _LOWEST), _HIGHEST)
        return min(openness / self.levels[eye], 1.0)


def measure_eyes(
    image: Image,
    faces: Sequence[Face],
    states: Sequence[OpenEyes],
    elapsed: float,
    camera: CameraModel | None,
    engine: EyeEngine,
) -> None:
    """Set ``eyes`` of the faces of an image.

    Args:
        image: the image.
        faces: found in it.
        states: of these faces; updated.
        elapsed: seconds since the last image.
        camera: intrinsics for images of this size; None assumes a common lens.
        engine: runs the eye network.

    Raises:
        Exception: errors of the engine are passed on.
    """
    places = EyePlaces.from_landmarks(np.stack([face.landmarks for face in faces]))
    frames = view_frames(places, camera or assumed_camera(image.width, image.height))
    head = np.zeros((len(faces), 2, 2), np.float32)
    for angles, face, frame in zip(head, faces, frames, strict=True):
        if face.head_pose is not None:
            angles[:] = angles_of(frame @ face.head_pose.rotation[:, 0])
    head[..., 0] *= YAW_SIGNS
    crops = extract_eyes(image, places)
    found = engine.infer(crops.reshape(-1, *crops.shape[2:]), head.reshape(-1, 2))
    openness = found.openness.reshape(-1, 2).tolist()
    gaze = found.gaze.reshape(-1, 2, 2).astype(np.float64)
    gaze[..., 0] *= YAW_SIGNS
    kinds = (found.quality.argmax(axis=1).reshape(-1, 2) + _VISIBLE).tolist()
    for i, (face, state) in enumerate(zip(faces, states, strict=True)):
        widths = places.widths[i].tolist()
        qualities = [
            _quality(kind, width, max(widths)) for kind, width in zip(kinds[i], widths, strict=True)
        ]
        relative = [
            state.relative(eye, openness[i][eye], elapsed) if quality == _VISIBLE else math.nan
            for eye, quality in enumerate(qualities)
        ]
        face.eyes = Eyes(np.array(relative, np.float32), min(qualities))
        looking = [gaze[i, eye] for eye in (0, 1) if relative[eye] > _GAZE_OPENNESS]
        if looking and face.head_pose is not None:
            _set_gaze(face.eyes, np.mean(looking, axis=0), frames[i], face.head_pose.rotation)


def _quality(kind: int, width: float, widest: float) -> int:
    if widest < MIN_EYE_WIDTH:
        return _TOO_SMALL
    return _OCCLUDED if width < _MIN_SHARE * widest else kind


def _set_gaze(
    eyes: Eyes,
    angles: NDArray[np.floating],
    frame: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> None:
    """Set the gaze from its angles in the view frame and the rotation of the head."""
    yaw, pitch = angles.tolist()
    eyes.gaze = vector_of(yaw, pitch) @ frame
    eyes.yaw, eyes.pitch = angles_of(eyes.gaze @ rotation)
