"""Conversion of 16-bit images to 8 bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Share of the samples that may be darker than black, and share that may be brighter than white.
_OUTLIERS = 0.001
#: About as many samples are taken for the two quantiles; more do not change them.
_QUANTILE_SAMPLES = 65_536
#: An image whose range is below this share of its white level is shifted to black first, as that
#: of a thermal camera: eight bits from zero on would leave few levels of it.
_NARROW = 1 / 8
#: Range of levels that is no more than the noise of a uniform image, which keeps its brightness.
_UNIFORM = 128
#: Rows converted at once, which bounds the memory of the intermediate result.
_ROWS = 256


class SixteenBitScaler:
    """The levels that 8 bits cover of a camera's 16-bit images, stable from frame to frame.

    Cameras of 10, 12 or 14 bits leave the high bits empty. The levels cover the quantiles of 0.1 %
    and 99.9 %, so a few saturated pixels do not darken the image. They are kept until they clip
    the next image or waste more than one bit of it, so brightness does not flicker.
    """

    def __init__(self) -> None:
        self._offset, self._shift = 0, -1

    def convert(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Return samples, (height, width) or (height, width, channels) of uint16, as uint8."""
        self._update(samples)
        out = np.empty(samples.shape, np.uint8)
        for row in range(0, len(samples), _ROWS):
            part = samples[row : row + _ROWS]
            if self._offset:
                part = np.maximum(part, self._offset) - np.uint16(self._offset)
            out[row : row + _ROWS] = np.minimum(part >> self._shift, 255)
        return out

    def expand(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return 8-bit pixels as samples that ``convert`` maps to them, by its last levels."""
        levels = (pixels.astype(np.int64) << max(self._shift, 0)) + self._offset
        return np.asarray(np.minimum(levels, 65_535), np.uint16)

    def _update(self, samples: NDArray[Any]) -> None:
        step = max(1, math.isqrt(samples.size // _QUANTILE_SAMPLES))
        some = samples[::step, ::step].ravel()
        # Even in the smallest thermal image, at least one sample may be an outlier at either end.
        outliers = min(math.ceil(_OUTLIERS * (some.size - 1)), (some.size - 1) // 2)
        ranks = outliers, some.size - 1 - outliers
        black, white = (int(level) for level in np.partition(some, ranks)[list(ranks)])
        offset, span = 0, white - black
        if _UNIFORM < span < _NARROW * white:
            offset = black - span // 2
        shift = max((white - offset).bit_length() - 8, 0)
        clips = black < self._offset or (white - self._offset) >> max(self._shift, 0) > 255
        if self._shift < 0 or clips or self._shift > shift + 1:
            self._offset, self._shift = offset, shift


def to_8bit(samples: NDArray[Any], scaler: SixteenBitScaler | None = None) -> NDArray[np.uint8]:
    """Return 16-bit samples as 8 bits; 8-bit samples unchanged.

    Args:
        samples: uint8 or uint16, (height, width) or (height, width, channels).
        scaler: that of the camera, for the images of a sequence. Without one the result depends
            on the image alone.
    """
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8)
    return (scaler or SixteenBitScaler()).convert(samples)
