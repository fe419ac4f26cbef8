"""Scripted drivers as images: a photograph whose lids, irises, mouth and head move as scripted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.behaviors.snapshot import Snapshot, take_snapshot
from edan_ros.core.faces import Face, FrameResult
from edan_ros.evaluation.driver_scenarios import OCCLUDED, Look, Scenario, looks
from edan_ros.evaluation.head_rotation import head_angles, rotate_head

#: Yields the stamp and the faces of each image, given stamps in seconds and BGR images.
Track = Callable[[Iterator[tuple[float, NDArray[np.uint8]]]], Iterable[tuple[float, list[Face]]]]
#: Height of the face in pixels of the rendered image, and size of that image.
_FACE, _WIDTH, _HEIGHT = 200.0, 640, 480
#: Movement of an iris for a rotation of 1 rad, as a fraction of the eye's width: an eyeball has a
#: radius of 12 mm, an eye a width of 30 mm.
_IRIS = 0.4
_MOUTH = (25, 15, 45)  # BGR of an open mouth
#: Gain and noise, in grey levels, of an image at night.
_NIGHT = (0.25, 6.0)


@dataclass
class Actor:
    """A photograph that acts scripts.

    Attributes:
        pixels: (h, w, 3) BGR, a person who looks into the camera with open eyes, upright.
        landmarks: (68, 2) of the face.
    """

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    _poses: dict[tuple[float, float], tuple[NDArray[np.uint8], NDArray[np.floating]]] = field(
        init=False, default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        low, high = self.landmarks.min(axis=0), self.landmarks.max(axis=0)
        scale = _FACE / float(high[1] - low[1])
        middle = 0.5 * (low + high)
        # The camera is directed at the face, which stands in the half of the driver's seat.
        shift = np.array([0.55 * _WIDTH, 0.52 * _HEIGHT]) - scale * middle
        matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
        self.pixels = np.asarray(
            cv2.warpAffine(self.pixels, matrix, (_WIDTH, _HEIGHT), borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
        self.landmarks = scale * np.asarray(self.landmarks, np.float64) + shift

    def render(self, look: Look, *, night: bool, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the (480, 640, 3) BGR image of a look."""
        if look.present:
            plain, landmarks = self._posed(look.head)
            image = _move_face(plain, landmarks, look)
            if look.quality == OCCLUDED and look.head[1] > -0.5:
                _add_sunglasses(image, landmarks)
        else:
            image = np.full((_HEIGHT, _WIDTH, 3), 110, np.uint8)
        gain, noise = _NIGHT if night else (1.0, 1.5)
        noisy = gain * image + rng.normal(0.0, noise, image.shape).astype(np.float32)
        return np.asarray(np.clip(noisy, 0.0, 255.0), np.uint8)

    def _posed(self, head: tuple[float, float]) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
        if head not in self._poses:
            angles = head_angles(self.landmarks)
            yaw = angles.yaw + math.degrees(head[0])
            pitch = angles.pitch - math.degrees(head[1])
            rotated = rotate_head(self.pixels, self.landmarks, yaw, pitch) if any(head) else None
            self._poses[head] = rotated or (self.pixels, self.landmarks)
        pixels, landmarks = self._poses[head]
        return pixels, landmarks


def is_suitable(landmarks: NDArray[np.floating]) -> bool:
    """Return whether a face looks into the camera upright, so that it can act."""
    angles = head_angles(landmarks)
    return max(abs(angles.yaw), abs(angles.roll)) < 12.0


def filmed_snapshots(
    scenario: Scenario, actor: Actor, track: Track, *, rate: float = 10.0, seed: int = 0
) -> Iterator[tuple[float, Snapshot]]:
    """Yield the time and the faces that are found in each image of a scenario."""
    rng = np.random.default_rng(seed)
    images = (
        (time, actor.render(look, night=scenario.night, rng=rng))
        for time, look in looks(scenario, rate, seed)
    )
    for time, faces in track(images):
        result = FrameResult(faces, _WIDTH, _HEIGHT)
        yield time, take_snapshot(result, time, assume_lens=True)


def _move_face(
    image: NDArray[np.uint8], landmarks: NDArray[np.floating], look: Look
) -> NDArray[np.uint8]:
    """Return the image with the lids, irises and mouth of a look."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float32)
    for eye, brow in ((slice(36, 42), slice(17, 22)), (slice(42, 48), slice(22, 27))):
        _move_eye(x, y, landmarks[eye], float(landmarks[brow, 1].mean()), look)
    opened = _open_mouth(y, landmarks, look.mouth)
    moved = np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR), np.uint8)
    moved[opened] = _MOUTH
    return moved


def _move_eye(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    eye: NDArray[np.floating],
    brow: float,
    look: Look,
) -> None:
    """Change where an image is read from, so that one eye opens and looks as scripted."""
    left, right = math.ceil(eye[0, 0]), math.floor(eye[3, 0])
    if right - left < 4:
        return
    columns = np.arange(left, right + 1)
    upper = np.interp(columns, eye[:4, 0], eye[:4, 1]) - 1.0
    lower = np.interp(columns, eye[[0, 5, 4, 3], 0], eye[[0, 5, 4, 3], 1]) + 1.0
    lid = lower + (upper - lower) * look.openness
    top, bottom = math.ceil(brow), math.ceil(lower.max()) + 1
    window = slice(top, bottom), slice(left, right + 1)
    rows = np.arange(top, bottom)[:, None]
    # The lid stretches down from the brow and covers the eye, which stays where it is.
    skin = brow + (rows - brow) * ((upper - brow) / np.maximum(lid - brow, 1.0))
    inside = (rows >= lid) & (rows <= lower)
    width = float(right - left)
    bump = np.minimum(2.0 * np.sin(np.pi * (columns - left) / width), 1.0)
    dx, dy = (_IRIS * width * math.sin(angle) for angle in look.eyes)
    y[window] = np.where(rows < lid, skin, rows + np.where(inside, dy * bump, 0.0))
    x[window] = columns - np.where(inside, dx * bump, 0.0)


def _open_mouth(
    y: NDArray[np.float32], landmarks: NDArray[np.floating], opening: float
) -> NDArray[np.bool_]:
    """Change where an image is read from, so that the lower lip sinks; return the gap's mask."""
    mask = np.zeros(y.shape, np.bool_)
    left, right = math.ceil(landmarks[48, 0]), math.floor(landmarks[54, 0])
    gap = opening * (right - left)
    if gap < 3.0:
        return mask
    columns = np.arange(left, right + 1)
    middle = 0.5 * (landmarks[[60, 61, 62, 63, 64]] + landmarks[[60, 67, 66, 65, 64]])
    lips = np.interp(columns, middle[:, 0], middle[:, 1])
    height = gap * (1.0 - ((columns - 0.5 * (left + right)) / (0.5 * (right - left))) ** 2)
    top = math.floor(lips.min())
    # The chin sinks less than the lip, and the neck does not move.
    end = min(landmarks[8, 1] + 0.8 * gap + 20.0, _HEIGHT - 1.0)
    window = slice(top, math.floor(end)), slice(left, right + 1)
    rows = np.arange(top, math.floor(end))[:, None]
    below = rows > lips + height
    pressed = lips + (rows - lips - height) * (end - lips) / np.maximum(end - lips - height, 1.0)
    y[window] = np.where(below, pressed, y[window])
    mask[window] = (rows > lips) & ~below
    return mask


def _add_sunglasses(image: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> None:
    centers = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)]
    apart = float(np.hypot(*(centers[1] - centers[0])))
    for center in centers:
        place = (round(float(center[0])), round(float(center[1])))
        axes = (round(0.42 * apart), round(0.34 * apart))
        cv2.ellipse(image, place, axes, 0.0, 0.0, 360.0, (20, 18, 16), -1, cv2.LINE_AA)
    ends = [(round(float(c[0])), round(float(c[1]))) for c in centers]
    cv2.line(image, ends[0], ends[1], (20, 18, 16), 4, cv2.LINE_AA)
