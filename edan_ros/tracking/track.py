"""One face that is or was followed: where it is, where it should be next, how it moves.

Motion is an alpha-beta filter of constant velocity. Its alpha is 1: the landmarks say to a few
per cent of the face where it is. Its beta is 1 - exp(-dt / 0.1 s), so that it works at any rate of
images. A prediction believes in the velocity for a while only: it moves by
v * T * (1 - exp(-dt / T)). Of a face that is lost both ends are kept: that place, of one who slows
down, and that of one who walks on as before.

What is half covered seems to shrink and to stop. While another one touches a face its size follows
slowly (1.5 s) and its shape not at all, and once it looks smaller than that its velocity follows
as slowly; with these it is waited for when it is hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop

#: How much smaller than before a face looks, where another one touches it, once it is covered.
_COVERED = 0.95
#: Seconds over which a velocity is averaged, and those of what touches and covers.
_VELOCITY_TIME, _TOUCHING_TIME = 0.1, 1.5
#: Seconds for which a motion is believed to go on, of a live track and of a lost one.
_MOTION_TIME, _LOST_MOTION_TIME = 0.25, 0.8
#: Seconds between two images below which their difference says nothing of a velocity.
_SHORTEST = 1e-3


@dataclass(slots=True)
class Track:
    """One face that is or was followed.

    crop: where it is believed to be; further: the same, if it moves on at the velocity that it had.
    shape: (68, 2) landmarks in its crop, in sides of it, and side: that of its crop, both of when
    no other face touched it. velocity: (2,) pixels a second, of a lost one the last known.
    presence: of the last image. lost_for: seconds since it was last seen, 0 while it is live.
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
    further: Crop = field(init=False)

    def __post_init__(self) -> None:
        self.further = self.crop

    def predict(self, elapsed: float) -> None:
        """Move on by ``elapsed`` seconds (>= 0)."""
        if self.live:
            self.crop = _moved(self.crop, self.velocity * _damped(elapsed, _MOTION_TIME))
            self.further = self.crop
            return
        before, self.lost_for = self.lost_for, self.lost_for + elapsed
        way = _damped(self.lost_for, _LOST_MOTION_TIME) - _damped(before, _LOST_MOTION_TIME)
        self.crop = _moved(self.crop, self.velocity * way)
        self.further = _moved(self.further, self.velocity * elapsed)

    def lose(self) -> None:
        """It was not seen in this image."""
        self.live = False
        self.crop = self.further = Crop(self.crop.center, self.side, self.crop.roll)

    def see(
        self, crop: Crop, shape: NDArray[np.float64], elapsed: float, *, touching: bool
    ) -> None:
        """Take its crop and the shape in it of this image, ``elapsed`` seconds after the last one.

        The velocity follows from the error of the prediction. touching: whether another face is
        so near that it may cover this one.
        """
        if not self.live:
            self.velocity = np.zeros(2)
        elif elapsed > _SHORTEST:
            covered = touching and crop.side < _COVERED * self.side
            time = _TOUCHING_TIME if covered else _VELOCITY_TIME
            # The first step of a track, new or found again, is all that is known of its velocity.
            known = self.velocity.any()
            weight = 1.0 - math.exp(-elapsed / time) if known else 1.0
            # The prediction already holds the damped motion of the old velocity.
            damped = _damped(elapsed, _MOTION_TIME) / elapsed
            error = (crop.center - self.crop.center) * (weight / elapsed)
            self.velocity = self.velocity * (1.0 + weight * (damped - 1.0)) + error
        if touching:
            weight = 1.0 - math.exp(-elapsed / _TOUCHING_TIME)
            self.side += weight * (crop.side - self.side)
        else:
            self.shape, self.side = shape, crop.side
        self.crop = self.further = crop
        self.hits += 1
        self.live, self.lost_for = True, 0.0


def _damped(elapsed: float, time: float) -> float:
    """Seconds of full velocity that a motion believed for ``time`` seconds is worth."""
    return time * (1.0 - math.exp(-elapsed / time))


def _moved(crop: Crop, shift: NDArray[np.float64]) -> Crop:
    return Crop(crop.center + shift, crop.side, crop.roll)
