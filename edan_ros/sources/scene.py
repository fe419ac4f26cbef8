"""The built-in source: a camera that pans along a wall with two photographs of people.

The photographs come with packages, so nothing is downloaded: Eileen Collins (NASA, public domain)
with scikit-image, Grace Hopper (US Navy, public domain) with matplotlib. Every run gives the same
frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.sources.base import Frame, SourceError
from edan_ros.sources.image_files import read_image

RATE = 25.0
SIZE = (640, 480)

#: The wall, pixels, and where on it the photographs hang (left, top, height).
_WALL = (3000, 1100)
_COLLINS, _HOPPER = (1000, 290, 512), (1640, 280, 540)

#: Seconds, centre of the view on the wall (x, y), its width there, and its roll in degrees.
#: Nobody; Collins, close and from farther away; both; Hopper alone; nobody.
_PATH = np.array(
    [
        [0.0, 420, 520, 760, 0],
        [0.8, 430, 520, 760, 0],
        [2.2, 1190, 480, 700, 2],
        [3.4, 1225, 440, 420, -7],
        [4.4, 1240, 470, 560, 6],
        [5.6, 1545, 500, 1080, 0],
        [6.6, 1555, 500, 1020, -3],
        [7.6, 1870, 500, 560, 4],
        [8.3, 1850, 510, 640, -4],
        [9.6, 2580, 520, 760, 0],
        [10.0, 2600, 520, 760, 0],
    ]
)

_BORDER = 14  # of the prints, pixels
_NOISE = 2.5  # of the sensor, standard deviation in grey levels


class SceneSource:
    """Ten seconds of 640x480 at 25 frames per second.

    Raises SourceError where the packages with the photographs are not installed.
    """

    name = "the built-in scene"
    rate = RATE
    length = int(_PATH[-1, 0] * RATE)
    live = False

    def __init__(self) -> None:
        self._photographs = load_photographs()

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the frames, with sensor noise."""
        from scipy.interpolate import PchipInterpolator

        wall = _wall(self._photographs)
        path = PchipInterpolator(_PATH[:, 0], _PATH[:, 1:])
        random = np.random.default_rng(0)
        noise = random.normal(0.0, _NOISE, (SIZE[1] + 64, SIZE[0] + 64, 3)).astype(np.float32)
        for number in range(self.length):
            time = number / RATE
            view = _view(wall, *path(time))
            x, y = random.integers(0, 64, 2)
            grain = noise[y : y + SIZE[1], x : x + SIZE[0]]
            pixels = np.clip(view + grain, 0, 255).astype(np.uint8)
            yield Frame(Image(pixels), time)


def load_photographs() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return Collins and Hopper as (height, width, 3) BGR pixels."""
    try:
        from matplotlib import cbook
        from skimage import data
    except ImportError as error:
        raise SourceError(
            "the built-in scene needs two libraries (pip install scikit-image matplotlib); "
            "or name a video, a folder or a webcam"
        ) from error
    load_astronaut: Callable[[], NDArray[np.uint8]] = data.astronaut
    collins = cv2.cvtColor(load_astronaut(), cv2.COLOR_RGB2BGR)
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(collins, np.uint8), read_image(Path(str(path))).bgr()


def _wall(photographs: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return a plain wall, lit from the upper left, with the two prints on it."""
    width, height = _WALL
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 208.0 - 34.0 * x / width - 26.0 * y / height
    plaster = np.random.default_rng(1).normal(0.0, 14.0, (height, width)).astype(np.float32)
    light += cv2.GaussianBlur(plaster, (0, 0), 3.0)
    wall = light[..., None] * np.array([0.90, 0.96, 1.0], np.float32)  # a warm white
    for photograph, place in zip(photographs, (_COLLINS, _HOPPER), strict=True):
        _hang(wall, photograph, *place)
    return np.asarray(np.clip(wall, 0, 255), np.uint8)


def _hang(
    wall: NDArray[np.float32], photograph: NDArray[np.uint8], left: int, top: int, height: int
) -> None:
    """Put a print with a white border and a soft shadow on the wall, in place."""
    width = round(photograph.shape[1] * height / photograph.shape[0])
    sized = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(
        sized, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_CONSTANT, value=(244, 246, 247)
    )
    rows, columns = framed.shape[:2]
    shadow = np.ones(wall.shape[:2], np.float32)
    shadow[top + 8 : top + rows + 8, left + 10 : left + columns + 10] = 0.62
    wall *= cv2.GaussianBlur(shadow, (0, 0), 7.0)[..., None]
    wall[top : top + rows, left : left + columns] = framed


def _view(
    wall: NDArray[np.uint8], x: float, y: float, width: float, roll: float
) -> NDArray[np.uint8]:
    """Return a camera's view, ``width`` wide around (x, y) and rolled by ``roll`` degrees."""
    # Four samples per pixel: a pixel of a sensor averages over its area.
    fine = 2 * SIZE[0], 2 * SIZE[1]
    scale, angle = fine[0] / width, math.radians(roll)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    middle = (fine[0] - 1) / 2, (fine[1] - 1) / 2
    matrix = np.array(
        [
            [cos, -sin, middle[0] - cos * x + sin * y],
            [sin, cos, middle[1] - sin * x - cos * y],
        ]
    )
    view = cv2.warpAffine(wall, matrix, fine, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(view, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
