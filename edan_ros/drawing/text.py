"""Text in images: `draw_text`, `text_width` and `fit_text`, with the font Inter.

Characters that Inter lacks are taken from the fonts of the system, if fontconfig finds one.
"""

from __future__ import annotations

import functools
import re
import subprocess
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from edan_ros.drawing.colours import Colour, Pixels

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: Height of a capital letter of Inter in parts of the font size.
_CAPITAL = 0.727
#: Inter's axes: optical size in points, and weight.
_OPTICAL_SIZES = 14.0, 32.0
_WEIGHT = 500.0
#: A code point that no font has: its glyph stands for all missing ones.
_NO_CHARACTER = "\U0010ffff"
_REPLACEMENT = "?"
#: Seconds that fontconfig may take to find a font.
_MATCH_TIMEOUT = 5.0


def draw_text(
    canvas: Pixels,
    text: str,
    x: float,
    y: float,
    colour: Colour,
    *,
    size: float,
    align: Literal["left", "center", "right"] = "left",
) -> None:
    """Write a line of text into an image, in place; what lies outside is cut off.

    Args:
        canvas: (height, width, 3) BGR.
        text: in any script. A character that no installed font has becomes "?".
        x: the left end, the centre or the right end of the line in pixels, by ``align``.
        y: the top of the capital letters in pixels; letters such as "g" end below y + size.
        colour: BGR.
        size: height of a capital letter in pixels.
        align: what ``x`` is.
    """
    mask, left, top, width = _line(text, _font_size(size))
    if align != "left":
        x -= width / (2 if align == "center" else 1)
    left += round(x)
    top += round(y) + round(_CAPITAL * _font_size(size))
    rows, columns = mask.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    part = canvas[y0 : max(top + rows, 0), x0 : max(left + columns, 0)]
    alpha = mask[y0 - top :, x0 - left :][: part.shape[0], : part.shape[1]]
    ground = part.astype(np.float32)
    ground += (np.array(colour, np.float32) - ground) * alpha
    part[:] = ground


def text_width(text: str, size: float) -> int:
    """Return the width in pixels of a line whose capital letters are ``size`` pixels high."""
    return round(_line(text, _font_size(size))[-1])


def fit_text(text: str, width: float, size: float) -> str:
    """Shorten a line with "…" to a width in pixels; empty where less than one letter fits."""
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(f"{text[:middle].rstrip()}…", size) <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return f"{text[:low].rstrip()}…" if low else ""


#: Opacity of rendered text, 0 to 1; its offset from the pen on the baseline; the pen's advance.
_Rendered = tuple[NDArray[np.float32], int, int, float]


def _font_size(capital: float) -> int:
    return max(round(capital / _CAPITAL), 1)


@functools.lru_cache(maxsize=512)
def _line(text: str, points: int) -> _Rendered:
    """Render a line as (h, w, 3): one channel per colour, which makes blending twice as fast."""
    pen, placed = 0.0, []
    # Words are cached, as numbers change beside labels that stay. Other scripts may run from right
    # to left, and stay in one piece.
    words = re.findall(r"[^ ]+ ?| ", text) if text.isascii() else [text]
    for word in words:
        for mask, left, top, advance in _render(word, points):
            placed.append((mask, round(pen) + left, top))
            pen += advance
    left = min((x for _, x, _ in placed), default=0)
    top = min((y for _, _, y in placed), default=0)
    right = max((x + mask.shape[1] for mask, x, _ in placed), default=0)
    bottom = max((y + mask.shape[0] for mask, _, y in placed), default=0)
    line = np.zeros((bottom - top, right - left, 3), np.float32)
    for mask, x, y in placed:
        part = line[y - top :, x - left :][: mask.shape[0], : mask.shape[1]]
        np.maximum(part, mask[..., None], out=part)
    return line, left, top, pen


@functools.lru_cache(maxsize=4096)
def _render(word: str, points: int) -> tuple[_Rendered, ...]:
    """Render a word as one part per font that it needs."""
    fonts: list[tuple[str, str]] = []
    for character in word:
        if not character.isprintable() or character == " ":
            # A space does not end a run, whose words may be ordered from right to left.
            fonts.append((fonts[-1][0] if fonts else "", " "))
        else:
            path = _font_of(character)
            fonts.append(("", _REPLACEMENT) if path is None else (path, character))
    parts = []
    for path, run in groupby(fonts, itemgetter(0)):
        part = "".join(character for _, character in run)
        font = _font(path, points)
        core, (left, top) = font.getmask2(part, mode="L", anchor="ls")
        mask = np.frombuffer(bytes(core), np.uint8).reshape(core.size[::-1])
        parts.append((mask.astype(np.float32) / 255.0, left, top, font.getlength(part)))
    return tuple(parts)


@functools.lru_cache(maxsize=256)
def _font(path: str, points: int) -> FreeTypeFont:
    """Load a font in a size; the empty path stands for Inter."""
    # Imported here because it takes long, and most processes draw nothing.
    from PIL import ImageFont

    if path:
        return ImageFont.truetype(path, points)
    font = ImageFont.truetype(_inter(), points)
    font.set_variation_by_axes([float(np.clip(points, *_OPTICAL_SIZES)), _WEIGHT])
    return font


@functools.lru_cache(maxsize=1)
def _inter() -> str:
    import fontpkg

    return str(fontpkg.path("Inter"))


@functools.lru_cache(maxsize=4096)
def _font_of(character: str) -> str | None:
    """Return the path of a font that has a character, empty for Inter; None without any."""
    if character.isascii() or _has("", character):
        return ""
    pattern = f"sans-serif:charset={ord(character):x}"
    command = ["fc-match", "--format", "%{file}", pattern]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_MATCH_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout if found.stdout and _has(found.stdout, character) else None


def _has(path: str, character: str) -> bool:
    try:
        font = _font(path, 16)
    except OSError:  # a bitmap font without this size
        return False
    missing, found = font.getmask(_NO_CHARACTER), font.getmask(character)
    return missing.size != found.size or bytes(missing) != bytes(found)
