"""Makes people unrecognisable in a picture before it is shown or stored."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import Detection, Face
from edan_ros.core.geometry import REGIONS
from edan_ros.core.images import Image

Item = TypeVar("Item")
#: Finds what may be a face: better one too many than one too few.
Find = Callable[[Image], Sequence[Detection]]

#: Score from which a detection is covered, far below the one from which it is read: of the
#: people whom it misses at 0.6 in crowded photographs, it finds most.
COVERED_FROM = 0.25
#: What can be asked for: the picture as it is, faces blurred, or no picture at all.
PRIVACY_MODES = ("none", "blur", "landmarks-only")

#: What a picture of which only landmarks may be seen is filled with.
_GROUND = 32
#: Blurred cells across a head. Seven leave colour and outline, and no feature.
_CELLS = 7
#: Half axes of a head and its middle above the middle of the landmarks, in parts of the larger
#: side of their box: the landmarks end at the brows, a head does not, and hair tells who it is.
_HALF_WIDTH, _HALF_HEIGHT, _ABOVE = 0.8, 1.0, 0.22
#: Seconds for which a face is covered before it was first found and after it was last.
MARGIN = 0.5
#: Time between pictures that carry the same time.
_NOMINAL_STEP = 1.0 / 30.0
#: Overlap from which two places are covered as one.
_SAME_PLACE = 0.85


def apply_privacy(
    pixels: NDArray[np.uint8], faces: Sequence[Face | Detection], mode: str
) -> NDArray[np.uint8]:
    """The picture with nobody to be recognised in it.

    Only faces that are given are covered: whom the detector does not find is seen under "blur".
    "landmarks-only" keeps not one pixel, so that what is drawn later is all there is to see.

    Args:
        pixels: (height, width, 3) BGR or (height, width) grey; not changed.
        faces: those in the picture; what a detector found, with a low threshold, may be among
            them to cover whom the model does not read.
        mode: of PRIVACY_MODES. "blur" replaces heads by a few averages of their colours, which
            cannot be undone.

    Returns:
        A picture of the same shape; ``pixels`` themselves for "none".

    Raises:
        ValueError: for another mode.
    """
    if mode == "none":
        return pixels
    if mode == "landmarks-only":
        return np.full_like(pixels, _GROUND)
    if mode != "blur":
        raise ValueError(f"privacy is '{mode}', must be one of {', '.join(PRIVACY_MODES)}")
    covered = pixels.copy()
    for face in faces:
        _blur(covered, face)
    return covered


def cover(
    image: Image, faces: Sequence[Face | Detection], mode: str, find: Find | None = None
) -> NDArray[np.uint8]:
    """A single picture as BGR, with nobody in it to be recognised.

    faces: those known. find: looks for others, for "blur". Raises ValueError for another mode, and
    for a picture that was read reduced, on which they would not lie where they are.
    """
    if image.reduction != 1:
        raise ValueError("a picture is covered whole, not reduced")
    others = () if find is None or mode != "blur" else find(image)
    return apply_privacy(image.bgr(), [*faces, *others], mode)


class Veil(Generic[Item]):
    """Covers the faces in a sequence of pictures, also where one is not found in between.

    A newcomer is found some images late, and who turns away is lost for some: a place is covered
    for half a second before and after a face was found there. To know what comes, pictures are
    held back.

    mode: of PRIVACY_MODES. find: looks for faces beside those that were read. ahead: whether to
    hold pictures back; without, they come at once and newcomers are covered as they are found.
    margin: seconds for which a place is covered, 0.0 for pictures that are no sequence.

    Raises ValueError for another mode.
    """

    def __init__(
        self, mode: str, find: Find | None = None, *, ahead: bool = True, margin: float = MARGIN
    ) -> None:
        if mode not in PRIVACY_MODES:
            raise ValueError(f"privacy is '{mode}', must be one of {', '.join(PRIVACY_MODES)}")
        self.mode = mode
        self._find = find
        self._margin = margin
        self._ahead = margin if ahead else 0.0
        self._given = -math.inf
        self._found: deque[tuple[float, list[Face | Detection]]] = deque()
        self._held: deque[tuple[float, NDArray[np.uint8], Item]] = deque()

    def add(
        self, seconds: float, image: Image, faces: Sequence[Face], item: Item
    ) -> list[tuple[NDArray[np.uint8], Item]]:
        """The next picture, with what belongs to it. Returns those that are ready, in order.

        They are BGR. Where the time goes back, a new sequence begins; where it stands still, images
        are taken to come at 30 Hz.
        """
        if self.mode != "blur":
            return [(apply_privacy(image.bgr(), faces, self.mode), item)]
        ready = self.rest() if self._found and seconds < self._given else []
        given, self._given = self._given, seconds
        if self._found:
            now = self._found[-1][0]
            seconds = now + _NOMINAL_STEP if seconds == given else max(seconds, now)
        extra = () if self._find is None else self._find(image)
        self._found.append((seconds, [*faces, *extra]))
        self._held.append((seconds, image.bgr(), item))
        while self._held and self._held[0][0] <= seconds - self._ahead:
            ready.append(self._release())
        return ready

    def rest(self) -> list[tuple[NDArray[np.uint8], Item]]:
        """The sequence is over: the pictures that are still held back."""
        ready = [self._release() for _ in range(len(self._held))]
        self._found.clear()
        return ready

    def _release(self) -> tuple[NDArray[np.uint8], Item]:
        seconds, pixels, item = self._held.popleft()
        while self._found[0][0] < seconds - self._margin:
            self._found.popleft()
        near = sorted(self._found, key=lambda found: abs(found[0] - seconds))
        covered: list[Face | Detection] = []
        for time, faces in near:
            if time - seconds > self._margin:
                continue
            # All of this picture's own; of the others what lies elsewhere.
            covered += [f for f in faces if time == seconds or not _is_covered(f, covered)]
        return apply_privacy(pixels, covered, self.mode), item


def _is_covered(face: Face | Detection, covered: Sequence[Face | Detection]) -> bool:
    return any(face.box.iou(other.box) > _SAME_PLACE for other in covered)


def _blur(canvas: NDArray[np.uint8], face: Face | Detection) -> None:
    """Covers one head, as far as it lies in the picture."""
    height, width = canvas.shape[:2]
    outline = _head(face)
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)) + 1, (width, height)).astype(int)
    if x0 >= x1 or y0 >= y1:
        return
    part = canvas[y0:y1, x0:x1]
    cell = np.ptp(outline, axis=0).max() / _CELLS
    cells = max(round((x1 - x0) / cell), 1), max(round((y1 - y0) / cell), 1)
    few = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(outline - (x0, y0)).astype(np.int32), 1)
    part[mask > 0] = smooth[mask > 0]


def _head(face: Face | Detection) -> NDArray[np.float64]:
    """(n, 2) outline of the whole head: an ellipse along the line of the eyes."""
    box, roll = face.box, _roll(face)
    side = max(box.width, box.height)
    across = np.array([math.cos(roll), math.sin(roll)])
    down = np.array([-math.sin(roll), math.cos(roll)])
    angle = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)[:, None]
    ring = _HALF_WIDTH * np.cos(angle) * across + _HALF_HEIGHT * np.sin(angle) * down
    outline: NDArray[np.float64] = np.array(box.center) + side * (ring - _ABOVE * down)
    return outline


def _roll(face: Face | Detection) -> float:
    """Radians, positive is clockwise on the screen."""
    if isinstance(face, Detection):
        return face.roll
    eyes = face.landmarks[list(REGIONS["eyes"])]
    x, y = eyes[6:].mean(axis=0) - eyes[:6].mean(axis=0)
    return math.atan2(y, x)
