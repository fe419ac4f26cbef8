"""Rendered eyes with exact openness, gaze and quality.

A simple model of a right eye in millimetres under scaled orthography: an eyeball with iris, pupil
and glints, lids that close over it, lashes, crease and brow, and what may hide it: glasses with
glare, sunglasses, hair, hands. Sizes: Bekerman et al., "Variations in eyeball diameters of the
healthy adults", 2014 (24 mm); iris 11.7 mm (Rufer et al. 2005); corners as in
``core/head_pose.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.eye_crops import CORNER_DISTANCE, angles_of, vector_of

#: Names of the classes of quality in the order of the network's output.
VISIBLE, GLARE, OCCLUDED = range(3)
#: Pixels are rendered this many times finer per side.
_FINE = 2
#: Millimetres from the centre of the eyeball to the plane of the iris, and its radius.
_IRIS_DEPTH, _IRIS_RADIUS = 10.6, 5.85
_LID_RADIUS = 12.6
#: Outer and inner corner relative to the centre of the eyeball: forward, left, up.
_CORNERS = np.array([[5.0, -14.5, 0.0], [10.5, 12.5, -1.5]])
#: Heights of the open lids over the line of the corners.
_UPPER, _LOWER = 4.6, -4.9


@dataclass(slots=True)
class RenderedEye:
    """One eye.

    Attributes:
        image: (h, w) grey levels, uint8; a right eye, or a mirrored left one.
        openness: 0 closed to 1 open.
        gaze: (2,) yaw and pitch in the view frame, radians.
        head: (2,) of the head.
        quality: VISIBLE, GLARE or OCCLUDED.
    """

    image: NDArray[np.uint8]
    openness: float
    gaze: tuple[float, float]
    head: tuple[float, float]
    quality: int


def render_eye(
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    openness: float | None = None,
    eye: tuple[float, float] | None = None,
    head: tuple[float, float] | None = None,
    quality: int | None = None,
) -> RenderedEye:
    """Render an eye at random.

    Args:
        rng: decides everything that is not given.
        size: height and width in pixels; CORNER_DISTANCE pixels lie between the corners.
        openness: 0 to 1.
        eye: yaw and pitch of the gaze in the head, radians.
        head: yaw and pitch of the head in the view frame, radians.
        quality: VISIBLE, GLARE or OCCLUDED.
    """
    if openness is None:
        openness = float(rng.choice([0.0, 1.0, rng.random()], p=[0.22, 0.43, 0.35]))
    if head is None:
        head = _limited(rng.normal(0.0, (0.33, 0.22)), (0.95, 0.65))
    if eye is None:
        spread = rng.choice([0.08, 0.3])
        eye = _limited(rng.normal(0.0, (spread * 1.2, spread * 0.8)), (0.7, 0.5))
    if quality is None:
        quality = int(rng.choice(3, p=[0.76, 0.1, 0.14]))
    turn = _axes(head)
    gaze = angles_of(turn.T @ vector_of(*eye))
    scene = _Scene(rng, size, turn, openness, eye, gaze)
    image = cover(scene.draw(), quality, rng, scene.iris * scene.scale)
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    levels = np.clip(255.0 * small, 0, 255).astype(np.uint8)
    return RenderedEye(levels, openness, gaze, head, quality)


def _limited(values: NDArray[np.float64], limits: tuple[float, float]) -> tuple[float, float]:
    return tuple(np.clip(values, np.negative(limits), limits).tolist())


def _axes(head: tuple[float, float]) -> NDArray[np.float64]:
    """Return (3, 3) axes of the head (rows forward, left, up) in the view frame."""
    forward = vector_of(*head)
    left = np.array([-np.sin(head[0]), np.cos(head[0]), 0.0])
    return np.stack([forward, left, np.cross(forward, left)])


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: int
) -> NDArray[np.float32]:
    grid = rng.normal(size=(cells, cells * 3 // 2)).astype(np.float32)
    return np.asarray(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _edge(distance: NDArray[np.float32], width: float = 0.25) -> NDArray[np.float32]:
    """Return 0 to 1 where a signed distance in millimetres is above 0, with a soft edge."""
    return np.asarray(np.clip(distance / (2.0 * width) + 0.5, 0.0, 1.0), np.float32)


class _Scene:
    """Shapes and materials of one eye; coordinates in millimetres, y down."""

    def __init__(
        self,
        rng: np.random.Generator,
        size: tuple[int, int],
        turn: NDArray[np.float64],
        openness: float,
        eye: tuple[float, float],
        gaze: tuple[float, float],
    ) -> None:
        self.rng, self.openness = rng, openness
        shape = size[0] * _FINE, size[1] * _FINE
        corners = _CORNERS * rng.normal(1.0, 0.05, (2, 3)) + rng.normal(0.0, 0.6, (2, 3))
        flat = self._flat(corners @ turn)
        middle, line = flat.mean(axis=0), flat[1] - flat[0]
        # The far eye is foreshortened, but shares its scale with the near one.
        full = float(np.hypot(*(corners[1] - corners[0])[1:]))
        width = max(float(np.hypot(*line)), full * rng.uniform(0.8, 1.0))
        self.scale = CORNER_DISTANCE * _FINE / width
        slant = rng.normal(0.0, 0.05)
        c, s = np.cos(slant), np.sin(slant)
        ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        xs, ys = xs - 0.5 * (shape[1] - 1), ys - 0.5 * (shape[0] - 1)
        self.x = ((xs * c - ys * s) / self.scale + middle[0]).astype(np.float32)
        self.y = ((xs * s + ys * c) / self.scale + middle[1]).astype(np.float32)
        # Upper lids follow a gaze that is lowered; the face opens its eyes more or less widely.
        wide = rng.uniform(0.72, 1.25)
        lowest = _LOWER * wide * rng.uniform(0.8, 1.1)
        highest = _UPPER * wide * rng.uniform(0.8, 1.1) + 7.0 * min(eye[1], 0.0) + 2.0 * eye[1]
        highest = max(highest, lowest + 3.5)
        lowest += 0.8 * (1.0 - openness)
        self.upper = self._lid(corners, turn, lowest + openness * (highest - lowest), rng)
        self.lower = self._lid(corners, turn, lowest, rng)
        self.crease = self._lid(corners, turn, highest + rng.uniform(1.5, 4.0), rng)
        direction = vector_of(*gaze)
        self.iris = _IRIS_DEPTH * self._flat(direction)
        radial = self._flat(direction)
        length = float(np.hypot(*radial))
        e = radial / length if length > 1e-6 else np.array([1.0, 0.0])
        dx, dy = self.x - self.iris[0], self.y - self.iris[1]
        along = (dx * e[0] + dy * e[1]) / max(float(direction[0]), 0.2)
        self.iris_distance = np.hypot(along, dx * e[1] - dy * e[0]).astype(np.float32)
        self.corners = flat.astype(np.float32)
        self.near = np.exp(-(((self.x - np.float32(middle[0])) / np.float32(10.0)) ** 4))

    @staticmethod
    def _flat(points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project points (forward, left, up) of the view frame to x and y."""
        return np.stack([points[..., 1], -points[..., 2]], axis=-1)

    def _lid(
        self,
        corners: NDArray[np.float64],
        turn: NDArray[np.float64],
        height: float,
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return y of a lid's margin at the x of every pixel."""
        t = np.linspace(0.0, 1.0, 25)
        points = corners[0] + t[:, None] * (corners[1] - corners[0])
        peak = rng.uniform(0.42, 0.58)
        bent = np.where(t < peak, 0.5 * t / peak, 0.5 + 0.5 * (t - peak) / (1.0 - peak))
        points[:, 2] += height * np.sin(np.pi * bent) ** rng.uniform(0.7, 1.0)
        depth = _LID_RADIUS**2 - points[:, 1] ** 2 - points[:, 2] ** 2
        points[:, 0] = np.maximum(points[:, 0], np.sqrt(np.maximum(depth, 0.0)))
        flat = self._flat(points @ turn)
        # Where the margin turns behind the eyeball its projection is not a function of x.
        xs = np.maximum.accumulate(flat[:, 0] + 1e-6 * np.arange(25))
        heights = np.interp(self.x.ravel(), xs, flat[:, 1])
        return np.asarray(heights.reshape(self.x.shape), np.float32)

    def draw(self) -> NDArray[np.float32]:
        """Return the grey levels, about 0 to 1."""
        rng, x, y = self.rng, self.x, self.y
        infrared = rng.random() < 0.2
        skin = rng.uniform(0.35, 0.85) if infrared else rng.uniform(0.12, 0.85)
        image = skin * (1.0 + 0.05 * _smooth_noise(rng, x.shape, 6))
        image += skin * 0.02 * _smooth_noise(rng, x.shape, 24)
        image *= 1.0 + rng.normal(0.0, 0.012) * x + rng.normal(0.0, 0.01) * y
        # The hollow between lid and brow, the lid itself, and bags below the eye.
        image *= 1.0 - rng.uniform(0.0, 0.4) * np.exp(-(((y - self.crease + 1.5) / 2.5) ** 2))
        shade = rng.uniform(0.0, 0.5) * np.exp(-(((y - self.crease) / rng.uniform(0.3, 1.2)) ** 2))
        image *= 1.0 - shade * self.near
        bag = self.lower + rng.uniform(3.0, 7.0)
        image *= 1.0 - rng.uniform(0.0, 0.25) * self.near * np.exp(-(((y - bag) / 1.5) ** 2))
        image = self._brow(image)
        inside = _edge(y - self.upper) * _edge(self.lower - y)
        # The eyelids meet in the corners.
        inside = inside * _edge(x - self.corners[0, 0], 0.4) * _edge(self.corners[1, 0] - x, 0.4)
        ball = self._ball(infrared, skin)
        image = image * (1.0 - inside) + ball * inside
        return self._lashes(image)

    def _brow(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self.rng
        height = self.crease - rng.uniform(4.0, 11.0) - rng.normal(0.0, 0.08) * self.x
        mask = np.exp(-(((self.y - height) / rng.uniform(1.5, 3.0)) ** 2))
        mask *= rng.uniform(0.0, 0.8) * (0.8 + 0.2 * _smooth_noise(rng, self.x.shape, 16))
        return np.asarray(image * (1.0 - np.clip(mask, 0.0, 1.0)), np.float32)

    def _ball(self, infrared: bool, skin: float) -> NDArray[np.float32]:
        rng, r = self.rng, self.iris_distance
        white = rng.uniform(0.5, 0.95) * (0.5 + 0.5 * min(skin + 0.3, 1.0))
        ball = np.full(self.x.shape, white, np.float32)
        ball *= 1.0 - 0.0022 * (self.x**2 + self.y**2)
        iris = white * (rng.uniform(0.3, 0.85) if infrared else rng.uniform(0.05, 0.7))
        radius = _IRIS_RADIUS * rng.uniform(0.93, 1.07)
        texture = iris * (1.0 + 0.15 * _smooth_noise(rng, self.x.shape, 20))
        texture *= 1.0 - rng.uniform(0.1, 0.5) * np.exp(-(((r - radius) / 0.8) ** 2))
        ball += _edge(radius - r) * (texture - ball)
        pupil = rng.uniform(0.75, 1.0) if infrared and rng.random() < 0.3 else 0.04 * rng.random()
        ball += _edge(rng.uniform(1.2, 3.8) - r) * (pupil - ball)
        # Shadow of the upper lid and the lashes.
        ball *= 1.0 - rng.uniform(0.1, 0.65) * np.exp(-np.maximum(self.y - self.upper, 0.0) / 1.2)
        ball *= 1.0 - rng.uniform(0.0, 0.3) * np.exp(-np.maximum(self.lower - self.y, 0.0) / 0.8)
        for _ in range(int(rng.choice(4, p=[0.15, 0.5, 0.25, 0.1]))):
            at = self.iris * 1.05 + rng.normal(0.0, 1.8, 2)
            width = rng.uniform(0.3, 1.0)
            glint = np.exp(-(((self.x - at[0]) ** 2 + (self.y - at[1]) ** 2) / width**2))
            ball += rng.uniform(0.4, 1.0) * glint
        return np.asarray(ball, np.float32)

    def _lashes(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self.rng
        line = np.exp(-(((self.y - self.upper) / rng.uniform(0.3, 1.1)) ** 2))
        across = _edge(self.x - self.corners[0, 0], 1.0) * _edge(self.corners[1, 0] - self.x, 1.0)
        image = image * (1.0 - rng.uniform(0.3, 0.95) * line * across)
        under = np.exp(-(((self.y - self.lower) / rng.uniform(0.25, 0.6)) ** 2))
        image = image * (1.0 - rng.uniform(0.0, 0.5) * under * across)
        if rng.random() < 0.6:
            self._strands(image)
        return np.asarray(image, np.float32)

    def _strands(self, image: NDArray[np.float32]) -> None:
        """Draw single lashes, which point upwards of an open eye and downwards of a closed one."""
        rng, (height, width) = self.rng, image.shape
        level, length = float(rng.uniform(0.0, 0.2)), rng.uniform(1.5, 5.0) * self.scale
        rise = rng.uniform(0.2, 0.9) if self.openness > 0.35 else -rng.uniform(0.2, 0.9)
        row = height // 2
        for column in rng.integers(width // 6, width * 5 // 6, rng.integers(8, 24)):
            y = (self.upper[row, column] - self.y[0, column]) * self.scale
            lean = 1.2 * (column / width - 0.5) + rng.normal(0.0, 0.15)
            end = column + lean * length, y - rise * length
            cv2.line(
                image, (int(column), int(y)), (int(end[0]), int(end[1])), level, 1, cv2.LINE_AA
            )


def cover(
    image: NDArray[np.float32],
    quality: int,
    rng: np.random.Generator,
    iris: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Add what a quality stands for; visible eyes may wear glasses without glare on them.

    Args:
        image: (h, w) grey levels, 0 to 1.
        quality: VISIBLE, GLARE or OCCLUDED.
        rng: decides on shapes and tones.
        iris: x and y of the iris in pixels from the middle of the image.
    """
    height, width = image.shape
    centre = 0.5 * width + rng.normal(0.0, 4.0), 0.5 * height + rng.normal(2.0, 3.0)
    sunglasses = quality == OCCLUDED and rng.random() < 0.55
    if quality == GLARE or sunglasses or rng.random() < 0.25:
        lens = np.zeros(image.shape, np.float32)
        axes = (int(width * rng.uniform(0.36, 0.55)), int(height * rng.uniform(0.36, 0.52)))
        place = (int(centre[0]), int(centre[1]))
        if sunglasses:
            cv2.ellipse(lens, place, (axes[0], axes[1] + 8), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
            tint = rng.uniform(0.02, 0.25) * (1.0 + 0.3 * _smooth_noise(rng, image.shape, 4))
            seen = rng.uniform(0.0, 0.12)
            image = image * (1.0 - lens) + lens * (tint + seen * image)
            for _ in range(rng.integers(0, 3)):
                image = image + lens * rng.uniform(0.05, 0.6) * _patch(rng, image.shape, 0.12)
        rim = np.zeros(image.shape, np.float32)
        cv2.ellipse(rim, place, axes, 0, 0, 360, 1.0, int(rng.integers(1, 9)), cv2.LINE_AA)
        image = image + rim * rng.uniform(0.3, 1.0) * (rng.choice([0.05, 0.3, 0.9]) - image)
    if quality == GLARE:
        for _ in range(rng.integers(1, 4)):
            patch = _patch(rng, image.shape, rng.uniform(0.3, 0.6), iris)
            image = image + rng.uniform(0.75, 1.0) * patch * (rng.uniform(0.75, 1.1) - image)
    elif quality == VISIBLE and rng.random() < 0.08:
        away = np.array([rng.choice([-1, 1]) * 0.42 * width, rng.normal(0.0, 0.2) * height])
        patch = _patch(rng, image.shape, 0.15, away)
        image = image + patch * (rng.uniform(0.75, 1.0) - image)
    elif quality == OCCLUDED and not sunglasses:
        image = _occlude(image, rng)
    return image


def _patch(
    rng: np.random.Generator,
    shape: tuple[int, int],
    share: float,
    at: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return a soft mask of a reflection around a point relative to the middle of the image."""
    mask = np.zeros(shape, np.float32)
    middle = 0.5 * np.array(shape[::-1]) + rng.normal(0.0, 5.0, 2)
    middle = middle + (rng.normal(0.0, 0.2, 2) * shape[::-1] if at is None else at)
    half = share * np.array([shape[1], shape[0]]) * rng.uniform(0.4, 0.9, 2)
    box = (middle.tolist(), (2 * half).tolist(), float(rng.uniform(0.0, 180.0)))
    if rng.random() < 0.5:
        cv2.ellipse(mask, box, 1.0, -1, cv2.LINE_AA)
    else:
        cv2.fillPoly(mask, [cv2.boxPoints(box).astype(np.int32)], 1.0, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.8, 6.0)), np.float32)


def _occlude(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cover most of the eye with hair, or with skin or cloth."""
    height, width = image.shape
    if rng.random() < 0.4:
        level = float(rng.uniform(0.02, 0.5))
        for _ in range(rng.integers(50, 90)):
            x0, x1 = rng.uniform(-0.2, 1.2, 2) * width
            y0 = rng.uniform(-0.3, 0.2) * height
            tone = level * float(rng.uniform(0.5, 1.6))
            ends = (int(x0), int(y0)), (int(x0 + 0.4 * (x1 - x0)), int(1.2 * height))
            cv2.line(image, *ends, tone, int(rng.integers(2, 7)), cv2.LINE_AA)
        return image
    mask = np.zeros(image.shape, np.float32)
    turn = float(rng.uniform(0.0, 180.0))
    middle = (float(width * rng.uniform(0.35, 0.65)), float(height * rng.uniform(0.35, 0.65)))
    box = cv2.boxPoints((middle, (1.6 * width, float(height * rng.uniform(0.6, 1.4))), turn))
    cv2.fillPoly(mask, [box.astype(np.int32)], 1.0, cv2.LINE_AA)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.7, 4.0)), np.float32)
    cloth = rng.uniform(0.05, 0.9) * (1.0 + 0.1 * _smooth_noise(rng, image.shape, 6))
    return np.asarray(image * (1.0 - soft) + soft * cloth, np.float32)
