"""One tracked face: its current and predicted crop, and its motion model.

Motion is an alpha-beta filter of constant velocity. Its alpha is 1, because landmarks locate the
face to a few per cent of its size. Its beta is 1 - exp(-dt / 0.1 s), so it works at any frame
rate. Predictions damp the velocity: they move by v * T * (1 - exp(-dt / T)). A lost track keeps
two predictions: the damped one, for a person who slows down, and the undamped one, for a person
who keeps walking.

A partly occluded face seems to shrink and to stop. While another face touches it, its size
follows slowly (1.5 s) and its shape not at all, and once it looks smaller than before, its
velocity follows as slowly. The prediction behind the occluder uses these values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop

#: A face that another one touches counts as occluded when its size falls below this share.
_OCCLUDED_SIZE = 0.95
#: Time constants in seconds of the velocity, and of size and velocity under occlusion.
_VELOCITY_TIME, _OCCLUSION_TIME = 0.1, 1.5
#: Time constants in seconds by which predictions of live and of lost tracks damp the velocity.
_MOTION_TIME, _LOST_MOTION_TIME = 0.25, 0.8
#: Motion in sides of the crop below which a face is still.
_STILL = 0.02
#: Seconds between two images below which they give no velocity.
_MIN_VELOCITY_STEP = 1e-3


@dataclass(slots=True)
class Track:
    """One face that is or was followed.

    Attributes:
        id: unique over all cameras.
        landmarks: (68, 2) in image pixels, from the last image with this face.
        crop: current or predicted region of the face.
        shape: (68, 2) landmarks relative to the crop, in sides of it, from the last image in
            which no other face touched this one.
        side: side of the crop in pixels without occlusion.
        presence: probability, 0 to 1, that this is a face, from the last image with it.
        velocity: (2,) in pixels per second; of a lost track the last one known.
        hits: number of images with this face.
        confirmed: whether the face is reported.
        live: whether the face was found in the last image.
        lost_for: seconds since the track was live; 0 while it is.
        undamped_crop: predicted region of a face that keeps its velocity.
        age: seconds since the last image with this face.
        last_carried: number of the last image in which the face was not measured but carried on.
    """

    id: int
    landmarks: NDArray[np.float32]
    crop: Crop
    shape: NDArray[np.float64]
    side: float
    presence: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    hits: int = 1
    confirmed: bool = False
    live: bool = True
    lost_for: float = 0.0
    undamped_crop: Crop = field(init=False)
    age: float = 0.0
    last_carried: int = 0

    def __post_init__(self) -> None:
        self.undamped_crop = self.crop

    def predict(self, elapsed: float) -> None:
        """Predict the crops ``elapsed`` seconds (>= 0) later."""
        self.age += elapsed
        if self.live:
            self.crop = _moved(self.crop, self._motion(elapsed))
            self.undamped_crop = self.crop
            return
        before, self.lost_for = self.lost_for, self.lost_for + elapsed
        seconds = _damped_time(self.lost_for, _LOST_MOTION_TIME)
        seconds -= _damped_time(before, _LOST_MOTION_TIME)
        self.crop = _moved(self.crop, self.velocity * seconds)
        self.undamped_crop = _moved(self.undamped_crop, self.velocity * elapsed)

    def is_still(self) -> bool:
        """Return whether the face has hardly moved, by its velocity, since it was measured."""
        return math.hypot(*self._motion(self.age).tolist()) < _STILL * self.side

    def carry(self, image: int) -> None:
        """Move the landmarks as predicted: they are not measured in the image of this number."""
        self.landmarks = self.landmarks + self._motion(self.age).astype(np.float32)
        self.last_carried = image

    def _motion(self, seconds: float) -> NDArray[np.float64]:
        """Return the (2,) predicted motion in pixels of a live track."""
        return self.velocity * _damped_time(seconds, _MOTION_TIME)

    def mark_lost(self) -> None:
        """Record that the face was not found in the current image."""
        self.live = False
        self.crop = self.undamped_crop = Crop(self.crop.center, self.side, self.crop.roll)

    def correct(
        self, crop: Crop, shape: NDArray[np.float64], elapsed: float, *, touching: bool
    ) -> None:
        """Correct the prediction with the crop and shape measured in the current image.

        Args:
            crop: region fitted to the landmarks of the image.
            shape: (68, 2) landmarks relative to that crop, in sides of it.
            elapsed: seconds since the last image in which the face was looked for.
            touching: whether another face is near enough to occlude this one.
        """
        if not self.live:
            self.velocity = np.zeros(2)
        elif elapsed > _MIN_VELOCITY_STEP:
            occluded = touching and crop.side < _OCCLUDED_SIZE * self.side
            time = _OCCLUSION_TIME if occluded else _VELOCITY_TIME
            # The first step of a new or recovered track is the only estimate of its velocity.
            weight = 1.0 - math.exp(-elapsed / time) if self.velocity.any() else 1.0
            # The prediction already contains the damped motion of the old velocity.
            damping = _damped_time(elapsed, _MOTION_TIME) / elapsed
            error = (crop.center - self.crop.center) * (weight / elapsed)
            self.velocity = self.velocity * (1.0 + weight * (damping - 1.0)) + error
        if touching:
            weight = 1.0 - math.exp(-elapsed / _OCCLUSION_TIME)
            self.side += weight * (crop.side - self.side)
        else:
            self.shape, self.side = shape, crop.side
        self.crop = self.undamped_crop = crop
        self.hits += 1
        self.live, self.lost_for, self.age = True, 0.0, 0.0


def _damped_time(elapsed: float, time_constant: float) -> float:
    """Return the seconds of undamped motion that equal ``elapsed`` seconds of damped motion."""
    return time_constant * (1.0 - math.exp(-elapsed / time_constant))


def _moved(crop: Crop, shift: NDArray[np.float64]) -> Crop:
    return Crop(crop.center + shift, crop.side, crop.roll)
