"""Samples of the eye network: rendered eyes, and eyes of photographs with teachers' labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edan_ros.core.eye_crops import CORNER_DISTANCE, EYE_SIZE, YAW_SIGNS
from edan_ros.datasets.archives import is_held_out
from edan_ros.evaluation.eyes import read_eye_set
from edan_ros.training.eyes.rendering import OCCLUDED, VISIBLE, cover, render_eye
from edan_ros.training.eyes.teachers import STORED_SIZE

#: Teacher's probabilities above and below which its decision is used.
_OPEN, _CLOSED = 0.8, 0.2
#: Aspect ratios of the lids' landmarks from which an eye is open, and up to which it may be closed.
_OPEN_RATIO, _CLOSED_RATIO = 0.27, 0.19
#: Openness that a photographed eye has at least where the teacher calls it open, and at most
#: where it calls it closed.
_LEAST_OPEN, _MOST_CLOSED = 0.32, 0.12
#: Pixels between the corners from which the teachers' labels are used.
_MIN_WIDTH = 12.0
#: Openness below which the gaze is not learned.
_GAZE_OPENNESS = 0.25


@dataclass
class EyeSamples:
    """n eyes, all as right eyes.

    Attributes:
        crops: (n, 48, 72) grey levels.
        head, gaze: (n, 2) yaw and pitch in the view frame, radians.
        low, high: (n,) limits of the openness.
        quality: (n,) class, -1 where unknown.
        gaze_weight: (n,) of the gaze in the loss.
        widths: (n,) pixels between the corners in the source image.
        outline: (n, 6, 2) landmarks 36 to 41 in pixels of the crop; NaN for rendered eyes.
    """

    crops: NDArray[np.uint8]
    head: NDArray[np.float32]
    gaze: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    quality: NDArray[np.int64]
    gaze_weight: NDArray[np.float32]
    widths: NDArray[np.float32]
    outline: NDArray[np.float32]


def rendered_samples(count: int, seed: int) -> EyeSamples:
    """Render eyes; the same for the same seed."""
    eyes = [render_eye(np.random.default_rng((seed, n)), STORED_SIZE) for n in range(count)]
    openness = np.array([eye.openness for eye in eyes], np.float32)
    quality = np.array([eye.quality for eye in eyes])
    return EyeSamples(
        np.stack([eye.image for eye in eyes]),
        np.array([eye.head for eye in eyes], np.float32),
        np.array([eye.gaze for eye in eyes], np.float32),
        np.where(quality == VISIBLE, openness, 0.0).astype(np.float32),
        np.where(quality == VISIBLE, openness, 1.0).astype(np.float32),
        quality,
        ((quality == VISIBLE) & (openness > _GAZE_OPENNESS)).astype(np.float32),
        np.full(count, CORNER_DISTANCE, np.float32),
        np.full((count, 6, 2), np.nan, np.float32),
    )


def photographed_samples(file: Path) -> EyeSamples:
    """Return the eyes of an eye set that may be trained on, without its held-out tenth."""
    values = read_eye_set(file)
    kept = np.array([not is_held_out(str(name)) for name in values["name"]])
    kept = np.repeat(kept, 2) & (values["widths"].ravel() >= _MIN_WIDTH)
    sign = np.tile(YAW_SIGNS, len(values["name"]))[kept]
    opened = values["open"].ravel()[kept]
    outline = values["outline"].reshape(-1, 6, 2)[kept]
    # On small eyes the teacher calls many open ones closed, so the lids' landmarks must agree.
    ratios = aspect_ratios(outline)
    is_open = ((opened > _OPEN) & (ratios > _CLOSED_RATIO)) | (ratios > _OPEN_RATIO)
    is_closed = (opened < _CLOSED) & (ratios < _CLOSED_RATIO)

    def angles(name: str) -> NDArray[np.float32]:
        found = np.repeat(values[name], 2, axis=0)[kept]
        return np.stack([found[:, 0] * sign, found[:, 1]], axis=1)

    return EyeSamples(
        values["crops"].reshape(-1, *STORED_SIZE)[kept],
        angles("head"),
        angles("gaze"),
        np.where(is_open, _LEAST_OPEN, 0.0).astype(np.float32),
        np.where(is_closed, _MOST_CLOSED, 1.0).astype(np.float32),
        np.where(is_open, VISIBLE, -1),
        0.7 * is_open.astype(np.float32),
        values["widths"].ravel()[kept],
        outline,
    )


def aspect_ratios(outline: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the eye aspect ratios (n,) of (n, 6, 2) landmarks (Soukupova & Cech 2016)."""
    points = np.asarray(outline, np.float64)
    height = np.linalg.norm(points[:, 1:3] - points[:, [5, 4]], axis=2).mean(axis=1)
    width = np.linalg.norm(points[:, 0] - points[:, 3], axis=1)
    return np.asarray(height / np.maximum(width, 1e-6))


def close_lids(
    crop: NDArray[np.uint8], outline: NDArray[np.floating], openness: float
) -> NDArray[np.uint8]:
    """Move the upper lid of a photographed eye down.

    Args:
        crop: (h, w) grey levels.
        outline: (6, 2) landmarks 36 to 41 in pixels of the crop.
        openness: share of the aperture that remains, 0 to 1.
    """
    height, width = crop.shape
    xs = np.arange(width, dtype=np.float32)
    upper, lower = (_margin(outline[list(points)], xs) for points in ((0, 1, 2, 3), (0, 5, 4, 3)))
    upper = np.minimum(upper - 0.5, lower)
    lid = lower + openness * (upper - lower)
    # The skin between a line near the brow and the lid is stretched.
    brow = upper - 0.3 * CORNER_DISTANCE
    ys = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    stretched = brow + (ys - brow) * (upper - brow) / np.maximum(lid - brow, 1e-3)
    source = np.where((ys > brow) & (ys <= lid), stretched, ys).astype(np.float32)
    columns = np.repeat(xs[None], height, axis=0)
    return np.asarray(cv2.remap(crop, columns, source, cv2.INTER_LINEAR), np.uint8)


def _margin(points: NDArray[np.floating], xs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return y at xs of a lid through (4, 2) points, rounded by a parabola through its middle."""
    a, b = points[0], points[-1]
    span = max(float(b[0] - a[0]), 1.0)
    t = np.clip((xs - a[0]) / span, 0.0, 1.0)
    chord = a[1] + t * (b[1] - a[1])
    u = np.clip((points[1:3, 0] - a[0]) / span, 0.05, 0.95)
    bump = (points[1:3, 1] - (a[1] + u * (b[1] - a[1]))) / (4.0 * u * (1.0 - u))
    return np.asarray(chord + float(bump.mean()) * 4.0 * t * (1.0 - t), np.float32)


class EyeData(Dataset[dict[str, Any]]):
    """The augmented samples of an epoch.

    Args:
        sets: samples of each source.
        shares: of the sources, sum 1.
        count: samples.
        seed, epoch: decide which, and their augmentation.
    """

    def __init__(
        self, sets: list[EyeSamples], shares: list[float], count: int, seed: int, epoch: int
    ) -> None:
        self.sets, self.shares, self.count = sets, shares, count
        self.key = seed, epoch

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((*self.key, index))
        samples = self.sets[int(rng.choice(len(self.sets), p=self.shares))]
        row = int(rng.integers(len(samples.crops)))
        crop, quality = samples.crops[row], int(samples.quality[row])
        low, high = float(samples.low[row]), float(samples.high[row])
        gaze_weight = float(samples.gaze_weight[row])
        chance = rng.random()
        if quality == VISIBLE and np.isfinite(samples.outline[row]).all() and chance < 0.55:
            if chance < 0.35:
                low = high = float(rng.choice([0.0, 0.7 * rng.random()], p=[0.6, 0.4]))
                crop = close_lids(crop, samples.outline[row], low)
            else:
                quality, low, high = int(rng.integers(VISIBLE, OCCLUDED + 1)), 0.0, 1.0
                iris = samples.outline[row].mean(axis=0) - 0.5 * np.array(crop.shape[::-1])
                covered = cover(crop.astype(np.float32) / 255.0, quality, rng, iris)
                crop = np.clip(255.0 * covered, 0, 255).astype(np.uint8)
                if quality == VISIBLE:
                    low = float(samples.low[row])
            if quality != VISIBLE or high < _GAZE_OPENNESS:
                gaze_weight = 0.0
        return {
            "image": _augment(crop, float(samples.widths[row]), rng),
            "head": np.float32(samples.head[row] + rng.normal(0.0, 0.07, 2)),
            "gaze": samples.gaze[row],
            "gaze_weight": np.float32(gaze_weight),
            "low": np.float32(low),
            "high": np.float32(high),
            "quality": quality,
        }


def _augment(
    crop: NDArray[np.uint8], width: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the crop of the network with a shifted frame, less detail, other light and noise."""
    height, length = EYE_SIZE
    turn = rng.normal(0.0, 0.05)
    scale = float(np.exp(rng.normal(0.0, 0.07)))
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0]])
    middle = 0.5 * (np.array(crop.shape[::-1]) - 1)
    target = 0.5 * (np.array([length, height]) - 1) + rng.normal(0.0, 1.1, 2)
    matrix[:, 2] = target - matrix[:, :2] @ middle
    image = cv2.warpAffine(crop, matrix, (length, height), borderMode=cv2.BORDER_REPLICATE)
    # The pixels between the corners in the source image: eyes of all sizes look alike then.
    detail = rng.uniform(8.0, 40.0) / min(width, CORNER_DISTANCE)
    if detail < 0.9 and width > 14.0:
        small = max(round(length * detail), 4), max(round(height * detail), 4)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (length, height), interpolation=cv2.INTER_LINEAR)
    levels = np.asarray(image, np.float32)
    if rng.random() < 0.3:
        levels = np.asarray(cv2.GaussianBlur(levels, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if rng.random() < 0.5:
        levels = 255.0 * (levels / 255.0) ** float(np.exp(rng.normal(0.0, 0.35)))
    gain, offset = np.exp(rng.normal(0.0, 0.25)), rng.normal(0.0, 15.0)
    slope = rng.normal(0.0, 0.25, 2) * (rng.random() < 0.4)
    xs, ys = np.linspace(-1, 1, length), np.linspace(-1, 1, height)[:, None]
    light = np.asarray(gain * (1.0 + slope[0] * xs + slope[1] * ys), np.float32)
    levels = levels * light + np.float32(offset)
    if rng.random() < 0.6:
        noise = rng.standard_normal(levels.shape, np.float32)
        levels = levels + np.float32(rng.uniform(0.5, 9.0)) * noise
    return np.clip(np.round(levels), 0, 255)[None].astype(np.float32)
