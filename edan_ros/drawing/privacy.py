"""Make people unrecognisable in an image before it is shown or stored."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.eyes import Eyes
from edan_ros.core.faces import Detection, Face
from edan_ros.core.geometry import REGIONS
from edan_ros.core.images import Image
from edan_ros.core.stamps import NOMINAL_STEP
from edan_ros.drawing.avatar import draw_avatar

Item = TypeVar("Item")
#: Detects what may be a face: false positives are better than misses here.
FaceFinder = Callable[[Image], Sequence[Detection]]

#: Detection score above which a face is hidden, far below the threshold for recognition: it adds
#: most of the people that the detector misses at 0.6 in crowded photographs.
PRIVACY_THRESHOLD = 0.25
#: The image as it is, heads blurred, or no pixel of the image at all.
PRIVACY_MODES = ("none", "blur", "landmarks-only")
#: What anonymised bags show in place of heads.
BAG_PRIVACY_MODES = ("blur", "avatar")

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
        _blur(hidden, _head(face.box, _roll(face)), _CELLS)
    return hidden


@dataclass(frozen=True, slots=True)
class Cover:
    """How one head in one image is hidden.

    Attributes:
        box: tight box of the landmarks, pixels.
        roll: in-plane rotation in radians, positive clockwise on the screen.
        scale: factor on the size of the hidden head, above 1 where its place is uncertain.
        flat: hide under a single colour instead of a blur.
        landmarks: (68, 2) in pixels, to draw an avatar; None to blur.
        eyes: openness and gaze of the avatar.
    """

    box: Box
    roll: float = 0.0
    scale: float = 1.0
    flat: bool = False
    landmarks: NDArray[np.float32] | None = None
    eyes: Eyes | None = None


@dataclass(frozen=True, slots=True)
class CoveredImage:
    """An image with hidden heads.

    Attributes:
        pixels: (height, width, 3) BGR.
        hidden: (height, width), True where no pixel is original.
        drawn: (height, width), True where an avatar is seen.
    """

    pixels: NDArray[np.uint8]
    hidden: NDArray[np.bool_]
    drawn: NDArray[np.bool_]


def cover_heads(pixels: NDArray[np.uint8], covers: Sequence[Cover]) -> CoveredImage:
    """Hide heads: blurred ones first, avatars over them, smaller ones behind, flat ones on top.

    Args:
        pixels: (height, width, 3) BGR; not changed.
        covers: one or more of each head.
    """
    canvas = pixels.copy()
    hidden, drawn = np.zeros((2, *pixels.shape[:2]), bool)
    order = sorted(covers, key=lambda c: (c.flat, c.landmarks is not None, c.box.size))
    for cover in order:
        outline = _head(cover.box, cover.roll, cover.scale)
        if cover.landmarks is not None and not cover.flat:
            replaced = draw_avatar(canvas, outline, cover.landmarks, cover.eyes)
            drawn |= replaced
        else:
            replaced = _blur(canvas, outline, 1 if cover.flat else _CELLS)
            drawn &= ~replaced
        hidden |= replaced
    return CoveredImage(canvas, hidden, drawn)


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


def _blur(canvas: NDArray[np.uint8], outline: NDArray[np.float64], cells: int) -> NDArray[np.bool_]:
    """Blur the inside of an outline, as far as it lies in the image, and return its mask."""
    height, width = canvas.shape[:2]
    hidden = np.zeros((height, width), np.uint8)
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)) + 1, (width, height)).astype(int)
    if x0 >= x1 or y0 >= y1:
        return hidden.astype(bool)
    part = canvas[y0:y1, x0:x1]
    cell = max(np.ptp(outline, axis=0).max(), 1.0) / cells
    size = max(round((x1 - x0) / cell), 1), max(round((y1 - y0) / cell), 1)
    few = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    cv2.fillConvexPoly(hidden, np.round(outline).astype(np.int32), 1)
    mask = hidden.astype(bool)
    inside = mask[y0:y1, x0:x1]
    part[inside] = smooth[inside]
    return mask


def _head(box: Box, roll: float, scale: float = 1.0) -> NDArray[np.float64]:
    """Return the (n, 2) outline of the head: an ellipse along the line of the eyes."""
    side = max(box.width, box.height)
    across = np.array([math.cos(roll), math.sin(roll)])
    down = np.array([-math.sin(roll), math.cos(roll)])
    angle = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)[:, None]
    ring = scale * (_HALF_WIDTH * np.cos(angle) * across + _HALF_HEIGHT * np.sin(angle) * down)
    outline: NDArray[np.float64] = np.array(box.center) + side * (ring - _ABOVE * down)
    return outline


def _roll(face: Face | Detection) -> float:
    """Return the roll in radians, positive clockwise on the screen."""
    return face.roll if isinstance(face, Detection) else roll_of(face.landmarks)


def roll_of(landmarks: NDArray[np.floating]) -> float:
    """Return the roll in radians of (68, 2) landmarks, positive clockwise on the screen."""
    eyes = landmarks[list(REGIONS["eyes"])]
    x, y = eyes[6:].mean(axis=0) - eyes[:6].mean(axis=0)
    return math.atan2(y, x)
