"""What happens to a face in front of a camera, done to pictures whose faces are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box

#: Grey level of a mask and of sunglasses.
MASK, GLASSES = 190, 25


@dataclass(frozen=True)
class View:
    """A grey picture (h, w) uint8 and the landmarks (68, 2) of its face, in pixels."""

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.float64]

    @property
    def face(self) -> float:
        """Size of the face: mean of width and height of the box of the landmarks, pixels."""
        return Box.from_landmarks(self.landmarks).size


#: A view and numbers by chance -> the view as it is seen, or None where it cannot be.
Distortion = Callable[[View, np.random.Generator], View | None]


def unchanged() -> Distortion:
    return lambda view, _: view


def turned(degrees: float) -> Distortion:
    """Turned about the middle of the face, to either side by chance."""

    def distort(view: View, rng: np.random.Generator) -> View:
        height, width = view.pixels.shape
        center = Box.from_landmarks(view.landmarks).center
        angle = degrees if rng.random() < 0.5 else -degrees
        matrix = cv2.getRotationMatrix2D(center, angle, 1.0)
        pixels = cv2.warpAffine(
            view.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        moved = view.landmarks @ matrix[:, :2].T + matrix[:, 2]
        return View(np.asarray(pixels, np.uint8), moved)

    return distort


def reduced(face: float) -> Distortion:
    """The face brought down to so many pixels; None where it is smaller already."""

    def distort(view: View, _: np.random.Generator) -> View | None:
        factor = face / view.face
        if factor > 1.0:
            return None
        small = cv2.resize(view.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return View(np.asarray(small, np.uint8), (view.landmarks + 0.5) * factor - 0.5)

    return distort


def blurred(part: float) -> Distortion:
    """Out of focus: a Gaussian of standard deviation ``part`` times the size of the face."""

    def distort(view: View, _: np.random.Generator) -> View:
        soft = cv2.GaussianBlur(view.pixels, (0, 0), part * view.face)
        return View(np.asarray(soft, np.uint8), view.landmarks)

    return distort


def noisy(deviation: float) -> Distortion:
    """Normal noise of so many grey levels on every pixel."""

    def distort(view: View, rng: np.random.Generator) -> View:
        noise = rng.normal(0.0, deviation, view.pixels.shape)
        return View(np.clip(view.pixels + noise, 0, 255).astype(np.uint8), view.landmarks)

    return distort


def exposed(stops: float) -> Distortion:
    """So many stops more light, in the camera's linear scale (gamma 2.2), clipped and rounded."""
    levels = 255.0 * np.minimum((np.arange(256) / 255.0) * 2.0 ** (stops / 2.2), 1.0)
    table = np.round(levels).astype(np.uint8)
    return lambda view, _: View(table[view.pixels], view.landmarks)


def compressed(quality: int) -> Distortion:
    """As a JPEG of this quality, 1 to 100."""

    def distort(view: View, _: np.random.Generator) -> View:
        data = cv2.imencode(".jpg", view.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return View(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8), view.landmarks)

    return distort


def masked() -> Distortion:
    """Mouth and chin under a mask, from the bridge of the nose down."""

    def distort(view: View, _: np.random.Generator) -> View:
        outline = view.landmarks[[*range(2, 15), 29]]
        return View(_painted(view.pixels, [outline], MASK), view.landmarks)

    return distort


def sunglasses() -> Distortion:
    """Both eyes under dark glasses."""

    def distort(view: View, _: np.random.Generator) -> View:
        points = view.landmarks
        lenses = []
        for eye in (points[36:42], points[42:48]):
            middle = eye.mean(axis=0)
            lenses.append(middle + 0.95 * np.ptp(eye[:, 0]) * _disc())
        bridge = np.array([points[39], points[42]])
        pixels = _painted(view.pixels, lenses, GLASSES)
        start, end = (tuple(round(float(v)) for v in point) for point in bridge)
        thickness = max(int(0.03 * view.face), 1)
        return View(cv2.line(pixels, start, end, GLASSES, thickness), points)

    return distort


def _disc() -> NDArray[np.float32]:
    """(24, 2) outline of a lens, for an eye one unit wide."""
    angles = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    return np.column_stack([np.cos(angles), 0.8 * np.sin(angles)]).astype(np.float32)


def _painted(
    pixels: NDArray[np.uint8], outlines: list[NDArray[np.floating]], level: int
) -> NDArray[np.uint8]:
    painted = pixels.copy()
    polygons = [np.round(outline * 16).astype(np.int32) for outline in outlines]
    cv2.fillPoly(painted, polygons, level, lineType=cv2.LINE_AA, shift=4)
    return painted


def yaw_of(landmarks: NDArray[np.floating]) -> float:
    """How far a head is turned sideways, 0 to 1, by the asymmetry of its landmarks.

    |a - b| / (a + b) of the distances a and b from the nose tip (30) to the two ends of the
    outline (0, 16), along the line between them: 0 from the front.
    """
    across = landmarks[16] - landmarks[0]
    part = float((landmarks[30] - landmarks[0]) @ across / (across @ across))
    return abs(2.0 * part - 1.0)
