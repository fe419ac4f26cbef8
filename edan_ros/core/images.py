"""A decoded image that is grey only where it is asked to be.


from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TO_GRAY = {"bgr": cv2.COLOR_BGR2GRAY, "rgb": cv2.COLOR_RGB2GRAY}


@dataclass(slots=True)
class Image:
    """Pixels with the meaning of their channels.

    pixels: uint8, (height, width) for "mono", (height, width, 3) for "bgr" and "rgb"; a row may
    be longer than its pixels (a view into a message), and the memory may be read-only.
    """

    pixels: NDArray[np.uint8]
    order: str = "bgr"

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    def gray(self, region: tuple[int, int, int, int] | None = None) -> NDArray[np.uint8]:
        """Grey values (ITU-R BT.601) of a region (x0, y0, x1, y1; ends excluded), else of all.

        A view where the image is grey already.
        """
        part = self.pixels
        if region is not None:
            x0, y0, x1, y1 = region
            part = part[y0:y1, x0:x1]
        return part if self.order == "mono" else cv2.cvtColor(part, _TO_GRAY[self.order])

    def bgr(self) -> NDArray[np.uint8]:
        """(height, width, 3) blue, green, red; the pixels themselves where they are that."""
        if self.order == "bgr":
            return self.pixels
        code = cv2.COLOR_GRAY2BGR if self.order == "mono" else cv2.COLOR_RGB2BGR
        return cv2.cvtColor(self.pixels, code)
