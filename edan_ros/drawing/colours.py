"""Colours of emotions and states, in images and reports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]

#: BGR colour of each label, in images and reports. Any two are distinguishable with protanopia,
#: deuteranopia and tritanopia: a test measures it.
EMOTION_COLOURS: dict[str, Colour] = {
    "neutral": (212, 212, 216),
    "happy": (52, 209, 234),
    "sad": (247, 130, 51),
    "surprise": (160, 126, 188),
    "fear": (142, 65, 124),
    "disgust": (116, 176, 142),
    "anger": (0, 59, 205),
    "unknown": (102, 101, 105),
}
#: BGR colours of states that are no emotions, as distinguishable.
STATE_COLOURS: dict[str, Colour] = {
    "good": (166, 176, 64),
    "notice": (80, 190, 240),
    "alarm": (40, 60, 200),
    "none": (78, 72, 70),
}
#: BGR hues of rows of curves.
SKY: Colour = (233, 180, 86)
LIME: Colour = (84, 216, 166)
#: Text on light and on dark ground.
DARK: Colour = (25, 25, 25)
LIGHT: Colour = (245, 245, 245)


def emotion_colour(label: str) -> Colour:
    """Return the colour of an emotion's label, that of "unknown" for any other text."""
    return EMOTION_COLOURS.get(label, EMOTION_COLOURS["unknown"])


def ink_on(colour: Colour) -> Colour:
    """Return dark ink for light colours, light ink for dark ones (ITU-R BT.601 luma)."""
    luma = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    return DARK if luma > 115 else LIGHT


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a mixture of two colours. share: of the second, 0 to 1."""
    blue, green, red = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return blue, green, red
