"""Make people unrecognisable in an image before it is shown or stored."""

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
from edan_ros.core.stamps import NOMINAL_STEP

Item = TypeVar("Item")
#: Detects what may be a face: false positives are better than misses here.
FaceFinder = Callable[[Image], Sequence[Detection]]

#: Detection score above which a face is hidden, far below the threshold for recognition: it adds
#: most of the people that the detector misses at 0.6 in crowded photographs.
PRIVACY_THRESHOLD = 0.25
#: The image as it is, heads blurred, or no pixel of the image at all.
PRIVACY_MODES = ("none", "blur", "landmarks-only")

#: Grey level that replaces an image of which only landmarks may be shown.
_BACKGROUND = 32
#: Blurred cells across a head. Seven keep colour and outline, and no feature.
_CELLS = 7
#: Half axes of a head and its centre above the centre of the landmarks, in parts of the larger
#: side of their box: the landmarks end at the brows, a head does not, and hair identifies people.
_HALF_WIDTH, _HALF_HEIGHT, _ABOVE = 0.8, 1.0, 0.22
#: Seconds for which a face is hidden before its first and after its last detection.
PRIVACY_MARGIN = 0.5
#: IoU above which two faces are hidden as one.
_SAME_PLACE = 0.85


def apply_privacy(
    pixels: NDArray[np.uint8], faces: Sequence[Face | Detection], mode: str
) -> NDArray[np.uint8]:
    """Hide the given faces.

    Under "blur", a face that is not given stays visible. "landmarks-only" keeps no pixel, so that
    only what is drawn later can be seen.

    Args:
        pixels: (height, width, 3) BGR or (height, width) grey; not changed.
        faces: those in the image; detections with a low threshold may be among them, to hide
            people whom the model does not recognise.
        mode: of PRIVACY_MODES. "blur" replaces heads by a few averages of their colours, which
            cannot be undone.

    Returns:
        An image of the same shape; ``pixels`` themselves for "none".

    Raises:
        ValueError: for another mode.
    """
    if mode == "none":
        return pixels
    if mode == "landmarks-only":
        return np.full_like(pixels, _BACKGROUND)
    if mode != "blur":
        raise ValueError(f"privacy is '{mode}', must be one of {', '.join(PRIVACY_MODES)}")
    hidden = pixels.copy()
    for face in faces:
        _blur(hidden, face)
    return hidden


def anonymize(
    image: Image,
    faces: Sequence[Face | Detection],
    mode: str,
    find_faces: FaceFinder | None = None,
) -> NDArray[np.uint8]:
    """Return a single image as BGR in which nobody can be recognised.

    Args:
        faces: those known.
        mode: of PRIVACY_MODES.
        find_faces: detects further ones, for "blur".

    Raises:
        ValueError: for another mode, and for an image that was decoded at reduced size, where the
            faces would not be where they are.
    """
    if image.reduction != 1:
        raise ValueError("an image must be anonymized at full size, not reduced")
    others = () if find_faces is None or mode != "blur" else find_faces(image)
    return apply_privacy(image.bgr(), [*faces, *others], mode)


class PrivacyFilter(Generic[Item]):
    """Hides the faces in a sequence of images, also where one is missed in between.

    A new face is detected some images late, and one that turns away is lost for some: a place is
    hidden for half a second before and after a face was detected there. That needs later images,
    so images are held back.

    Args:
        mode: of PRIVACY_MODES.
        find_faces: detects faces beside the recognised ones.
        ahead: whether to hold images back; without, they are returned at once and a new face is
            hidden from its first detection on.
        margin: seconds for which a place is hidden, 0.0 for images that are no sequence.

    Raises:
        ValueError: for another mode.
    """

    def __init__(
        self,
        mode: str,
        find_faces: FaceFinder | None = None,
        *,
        ahead: bool = True,
        margin: float = PRIVACY_MARGIN,
    ) -> None:
        if mode not in PRIVACY_MODES:
            raise ValueError(f"privacy is '{mode}', must be one of {', '.join(PRIVACY_MODES)}")
        self.mode = mode
        self._find_faces = find_faces
        self._margin = margin
        self._ahead = margin if ahead else 0.0
        self._last_time = -math.inf
        self._detected: deque[tuple[float, list[Face | Detection]]] = deque()
        self._held: deque[tuple[float, NDArray[np.uint8], Item]] = deque()

    @property
    def remembered_images(self) -> int:
        """Number of images whose faces are kept: bounded by the margin."""
        return len(self._detected)

    def add(
        self, seconds: float, image: Image, faces: Sequence[Face | Detection], item: Item
    ) -> list[tuple[NDArray[np.uint8], Item]]:
        """Add the next image with an item of the caller; return those that are ready, in order.

        The returned images are BGR. Where the time goes back, a new sequence begins; where it
        stands still, images are assumed to come at 30 Hz.
        """
        if self.mode != "blur":
            return [(apply_privacy(image.bgr(), faces, self.mode), item)]
        ready = self.flush() if self._detected and seconds < self._last_time else []
        last, self._last_time = self._last_time, seconds
        if self._detected:
            now = self._detected[-1][0]
            seconds = now + NOMINAL_STEP if seconds == last else max(seconds, now)
        others = () if self._find_faces is None else self._find_faces(image)
        self._detected.append((seconds, [*faces, *others]))
        self._held.append((seconds, image.bgr(), item))
        while self._held and self._held[0][0] <= seconds - self._ahead:
            ready.append(self._release())
        return ready

    def flush(self) -> list[tuple[NDArray[np.uint8], Item]]:
        """End the sequence and return the images that are still held back."""
        ready = [self._release() for _ in range(len(self._held))]
        self._detected.clear()
        return ready

    def _release(self) -> tuple[NDArray[np.uint8], Item]:
        seconds, pixels, item = self._held.popleft()
        while self._detected[0][0] < seconds - self._margin:
            self._detected.popleft()
        by_distance = sorted(self._detected, key=lambda entry: abs(entry[0] - seconds))
        hidden: list[Face | Detection] = []
        for time, faces in by_distance:
            if time - seconds > self._margin:
                continue
            # All faces of this image; of the others those that lie elsewhere.
            hidden += [f for f in faces if time == seconds or not _is_hidden(f, hidden)]
        return apply_privacy(pixels, hidden, self.mode), item


def _is_hidden(face: Face | Detection, hidden: Sequence[Face | Detection]) -> bool:
    return any(face.box.iou(other.box) > _SAME_PLACE for other in hidden)


def _blur(canvas: NDArray[np.uint8], face: Face | Detection) -> None:
    """Blur one head, as far as it lies in the image."""
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
    """Return the (n, 2) outline of the head: an ellipse along the line of the eyes."""
    box, roll = face.box, _roll(face)
    side = max(box.width, box.height)
    across = np.array([math.cos(roll), math.sin(roll)])
    down = np.array([-math.sin(roll), math.cos(roll)])
    angle = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)[:, None]
    ring = _HALF_WIDTH * np.cos(angle) * across + _HALF_HEIGHT * np.sin(angle) * down
    outline: NDArray[np.float64] = np.array(box.center) + side * (ring - _ABOVE * down)
    return outline


def _roll(face: Face | Detection) -> float:
    """Return the roll in radians, positive clockwise on the screen."""
    if isinstance(face, Detection):
        return face.roll
    eyes = face.landmarks[list(REGIONS["eyes"])]
    x, y = eyes[6:].mean(axis=0) - eyes[:6].mean(axis=0)
    return math.atan2(y, x)
