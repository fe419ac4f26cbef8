"""Distractors: shapes that a detector should not take for a face.

Lines, discs, rectangles, words, and spots: small shaded ovals with rings, which resemble a distant
face most. All are drawn in place on a square grey image (h, w) uint8.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

#: Characters of words.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789iiijj!?:;.&@%"


def draw_distractors(pixels: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draw two to fourteen shapes anywhere on an image."""
    size = pixels.shape[0]
    for _ in range(rng.integers(2, 15)):
        gray = int(rng.integers(0, 256))
        (ax, ay), (bx, by) = (map(int, rng.integers(0, size, 2)) for _ in range(2))
        a, b = (ax, ay), (bx, by)
        thickness = int(rng.choice([-1, 1, 2, 4]))
        kind = rng.integers(6)
        if kind >= 4:
            _spot(pixels, a, rng)
        elif kind == 0:
            cv2.line(pixels, a, b, gray, abs(thickness))
        elif kind == 1:
            cv2.circle(pixels, a, int(rng.integers(2, 60)), gray, thickness)
        elif kind == 2:
            corner = (a[0] + int(rng.integers(4, 90)), a[1] + int(rng.integers(4, 90)))
            cv2.rectangle(pixels, a, corner, gray, thickness)
        else:
            _word(pixels, a, rng)


def shade(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return (h, w) grey levels, in half of the cases with a gradient in one direction."""
    height, width = shape
    first, last = rng.uniform(0.0, 255.0, 2)
    if rng.random() < 0.5:
        last = first
    angle = rng.uniform(0.0, 2 * np.pi)
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32) * np.float32(np.sin(angle))
    ramp = 0.5 + (y[:, None] + x[None, :]) / np.float32(2 * np.sqrt(2))
    return np.asarray(first + (last - first) * ramp, np.float32)


def _spot(pixels: NDArray[np.uint8], at: tuple[int, int], rng: np.random.Generator) -> None:
    """Draw one to three nested ovals, sometimes on a stem: eyes, lamps, buttons, an i."""
    axes = rng.uniform(3.0, 24.0) * np.array([1.0, rng.uniform(0.8, 1.7)])
    turn = float(rng.uniform(0, 180)) if rng.random() < 0.5 else 0.0
    if rng.random() < 0.3:
        half, top = int(0.5 * axes[0]) + 1, at[1] + int(1.2 * axes[1])
        corner = (at[0] + half, top + int(rng.uniform(1.0, 4.0) * axes[1]))
        cv2.rectangle(pixels, (at[0] - half, top), corner, int(rng.integers(0, 256)), -1)
    part = 1.0
    for _ in range(rng.integers(1, 4)):
        radii = (max(int(part * axes[0]), 1), max(int(part * axes[1]), 1))
        reach = max(radii) + 2
        mask = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
        cv2.ellipse(mask, (reach, reach), radii, turn, 0, 360, 255, -1, cv2.LINE_AA)
        _blend(pixels, mask, (at[0] - reach, at[1] - reach), rng)
        part *= rng.uniform(0.45, 0.85)


def _word(pixels: NDArray[np.uint8], at: tuple[int, int], rng: np.random.Generator) -> None:
    """Draw one to seven characters; half of the words have an outline of another grey level."""
    letters = "".join(rng.choice(list(LETTERS), rng.integers(1, 8)))
    height = int(np.exp(rng.uniform(np.log(8.0), np.log(90.0))))
    font = _fonts()[rng.integers(len(_fonts()))]
    edge = int(rng.integers(1, 2 + height // 8)) if rng.random() < 0.5 else 0
    for stroke in (edge, 0) if edge else (0,):
        layer = Image.new("L", pixels.shape[::-1])
        drawing = ImageDraw.Draw(layer)
        drawing.text(at, letters, fill=255, font=_font(font, height), stroke_width=stroke)
        if (box := layer.getbbox()) is not None:
            _blend(pixels, np.asarray(layer.crop(box)), box[:2], rng)


def _blend(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    corner: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Blend a shade through a mask (h, w), 0 to 255, whose top-left corner is at ``corner``."""
    x, y = corner
    left, top = max(-x, 0), max(-y, 0)
    below = pixels[y + top : y + mask.shape[0], x + left : x + mask.shape[1]]
    if below.size:
        part = mask[top : top + below.shape[0], left : left + below.shape[1]]
        below[:] = below + part.astype(np.float32) / 255.0 * (shade(below.shape, rng) - below)


@lru_cache(maxsize=1)
def _fonts() -> list[Path]:
    """Return the fonts that come with matplotlib."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return sorted(p for p in folder.glob("*.ttf") if p.name.startswith(("DejaVu", "STIXGeneral")))


@lru_cache(maxsize=256)
def _font(path: Path, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), height)
