"""Photographs of one face in other views: turned, bowed, with sunglasses, a mask or a cap.

Occluders are drawn before the head rotates, so that they rotate with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import MEAN_SHAPE, similarity
from edan_ros.evaluation.head_rotation import head_angles, rotate_head
from edan_ros.training.detector.distractors import shade
from edan_ros.training.emotion.occluders import add_occluder

#: Faces with a smaller mean of width and height in pixels are too coarse to rotate.
SMALLEST_FACE = 40.0
#: Yaw in degrees from which a head is rotated further to its own side only: of the other side
#: too little is visible.
OWN_SIDE = 8.0


def head_views(
    gray: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    rng: np.random.Generator,
    *,
    views: int,
    yaw_deg: float,
    pitch_deg: tuple[float, float],
    occluder_prob: float,
    glasses_prob: float = 0.0,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield (image, (68, 2) landmarks) of a face in random views; nothing for a small face.

    Args:
        gray: (h, w).
        landmarks: (68, 2) pixels.
        rng: source of all that is random.
        views: number of views.
        yaw_deg: largest yaw to either side; uniform up to it.
        pitch_deg: range of half of the pitches, positive down; others stay nearly the same.
        occluder_prob: probability of sunglasses, a mask or a cap, 0 to 1.
        glasses_prob: probability of the frame of glasses in the other views, 0 to 1.
    """
    if Box.from_landmarks(landmarks).size < SMALLEST_FACE:
        return
    angles = head_angles(landmarks)
    for _ in range(views):
        image = gray
        if rng.random() < occluder_prob:
            add = add_cap if rng.random() < 0.4 else add_occluder
            image = add(gray, landmarks, rng)
        elif glasses_prob and rng.random() < glasses_prob:
            image = add_glasses(gray, landmarks, rng)
        side = np.sign(angles.yaw) if abs(angles.yaw) > OWN_SIDE else rng.choice((-1.0, 1.0))
        yaw = side * rng.uniform(min(abs(angles.yaw), yaw_deg), yaw_deg)
        pitch = rng.uniform(*pitch_deg) if rng.random() < 0.5 else rng.normal(angles.pitch, 6.0)
        yield rotate_head(image, landmarks, float(yaw), float(pitch))


def add_cap(
    gray: NDArray[np.uint8], landmarks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the image (h, w) with a cap and its shadow on a face with landmarks (68, 2)."""
    matrix, center = similarity(MEAN_SHAPE, landmarks)
    half, height = rng.uniform(0.52, 0.68), rng.uniform(0.4, 0.75)
    rim = rng.uniform(-0.62, -0.4)
    brim, reach = rng.uniform(0.0, 0.16), rng.uniform(0.85, 1.3)
    angle = np.linspace(0.0, np.pi, 16)
    over = np.column_stack([half * np.cos(angle), rim - height * np.sin(angle)])
    under = np.column_stack([reach * half * np.cos(angle), rim + brim * np.sin(angle)])[::-1]
    pixels = gray.astype(np.float32)
    shadow = under + np.array([0.0, rng.uniform(0.05, 0.3)])
    shapes = (
        (np.vstack([under, shadow[::-1]]), pixels * np.float32(rng.uniform(0.25, 0.8))),
        (over, shade(gray.shape, rng)),
        (under, shade(gray.shape, rng)),
    )
    for outline, paint in shapes:
        mask = np.zeros(gray.shape, np.uint8)
        polygon = np.round((outline @ matrix + center) * 16.0).astype(np.int32)
        cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, 4)
        pixels += mask.astype(np.float32) / 255.0 * (paint - pixels)
    return pixels.astype(np.uint8)


def add_glasses(
    gray: NDArray[np.uint8], landmarks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the image (h, w) with the frame of glasses, up to the ears, on a face (68, 2)."""
    matrix, center = similarity(MEAN_SHAPE, landmarks)
    half = np.array([rng.uniform(0.13, 0.18), rng.uniform(0.07, 0.13)])
    angle = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    lens = np.sign(circle) * np.abs(circle) ** rng.uniform(0.4, 1.0) * half
    eyes = [MEAN_SHAPE[36:42].mean(axis=0), MEAN_SHAPE[42:48].mean(axis=0)]
    inner = np.array([half[0], 0.0])
    bridge = np.array([eyes[0] + inner, eyes[1] - inner])
    lines = [(eyes[0] + lens, True), (eyes[1] + lens, True), (bridge, False)]
    for eye, side in zip(eyes, (-1.0, 1.0), strict=True):
        hinge = (eye[0] + side * half[0], eye[1] - 0.3 * half[1])
        lines.append((np.array([hinge, (side * 0.52, eye[1])]), False))
    thick = max(round(float(np.ptp(landmarks[:, 0])) * rng.uniform(0.01, 0.03)), 1)
    level, pixels = int(rng.integers(0, 120)), gray.copy()
    for line, closed in lines:
        polygon = np.round((line @ matrix + center) * 16.0).astype(np.int32)
        cv2.polylines(pixels, [polygon], closed, level, thick, cv2.LINE_AA, 4)
    return pixels
