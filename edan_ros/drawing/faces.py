"""Draw results into an image: boxes, landmarks, labels, a panel of probabilities per face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_LABEL, UNKNOWN_REASONS
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.colours import DARK, EMOTION_COLOURS, LIGHT, Pixels, ink_on
from edan_ros.drawing.text import draw_text, fit_text, text_width

_PANEL_OPACITY = 0.7
#: Height in pixels of the smallest legible capital letter.
_MIN_LETTER = 7.0
#: Lines along the landmarks: first, last, and whether the line is closed.
_CONTOURS = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in pixels, derived from the height of a capital letter."""

    letter: float

    @staticmethod
    def of_image(width: int, height: int) -> _Style:
        return _Style(float(np.clip(0.021 * min(height, 0.75 * width), _MIN_LETTER, 26.0)))

    def of_face(self, face: Face) -> _Style:
        """Return a style with smaller letters for a small face, to keep its neighbours visible."""
        return _Style(min(self.letter, max(0.14 * face.box.size, _MIN_LETTER)))

    @property
    def gap(self) -> int:
        """Space around text."""
        return max(round(0.55 * self.letter), 3)

    @property
    def row(self) -> int:
        """Height of a line of text with its gaps."""
        return round(self.letter) + 2 * self.gap


def annotate(
    image: Image | Pixels,
    result: FrameResult | Sequence[Face],
    *,
    title: str = "",
    landmarks: bool = True,
    panels: bool = True,
    attention: bool = False,
) -> Pixels:
    """Return a copy of the image, (height, width, 3) BGR, with the faces drawn in.

    Widths and letters scale with the image and the faces; labels and panels stay inside the image.
    An unknown emotion is labelled with its reason in place of a confidence.

    Args:
        image: an Image or (height, width, 3) BGR pixels.
        title: a line at the top.
        landmarks: whether to draw them.
        panels: the seven probabilities beside a face, where there is room.
        attention: the map of the strongest emotion over the face.
    """
    faces = result.faces if isinstance(result, FrameResult) else result
    canvas = np.array(image.bgr() if isinstance(image, Image) else image, np.uint8, order="C")
    height, width = canvas.shape[:2]
    style = _Style.of_image(width, height)
    taken = [_core(face) for face in faces]
    if title:
        taken.append(_draw_title(canvas, title, style))
    for face in faces:
        if attention:
            _draw_attention(canvas, face)
        if landmarks:
            _draw_landmarks(canvas, face)
        _draw_box(canvas, face)
    for face in faces:
        taken.append(_draw_label(canvas, face, style.of_face(face), taken))
    for face in faces if panels else ():
        _draw_panel(canvas, face, style.of_face(face), taken)
    return canvas


def unknown_text(face: Face) -> str:
    """Return the label of an unknown emotion with its reason: "unknown (turned away)"."""
    reason = UNKNOWN_REASONS[face.unknown_reason].replace("_", " ")
    return f"{UNKNOWN_LABEL} ({reason})" if reason else UNKNOWN_LABEL


def _draw_landmarks(canvas: Pixels, face: Face) -> None:
    points = np.round(face.landmarks * 2**_SUBPIXEL_BITS).astype(np.int32)
    size, colour = face.box.size, EMOTION_COLOURS[face.label]
    thick = max(round(size / 250.0), 1)
    # Opaque lines would hide a small face.
    part = _part(canvas, _frame_of(face)) if size < 90 else None
    before = None if part is None else part.copy()
    for first, last, closed in _CONTOURS:
        line = points[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(canvas, [line], closed, colour, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
    if part is not None and before is not None:
        part[:] = (0.6 * part + 0.4 * before).astype(np.uint8)
        return
    radius = round(max(size / 160.0, 0.8) * 2**_SUBPIXEL_BITS)
    for x, y in points.tolist():
        cv2.circle(canvas, (x, y), radius, LIGHT, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_box(canvas: Pixels, face: Face) -> None:
    """Draw thin lines with stronger corners."""
    x0, y0, x1, y1 = _corners(_frame_of(face))
    colour = EMOTION_COLOURS[face.label]
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, 1, cv2.LINE_AA)
    arm = max(round(0.18 * face.box.size), 4)
    thick = 1 + max(round(face.box.size / 110.0), 1)
    for x, dx in ((x0, arm), (x1, -arm)):
        for y, dy in ((y0, arm), (y1, -arm)):
            cv2.line(canvas, (x, y), (x + dx, y), colour, thick, cv2.LINE_AA)
            cv2.line(canvas, (x, y), (x, y + dy), colour, thick, cv2.LINE_AA)


def _draw_label(canvas: Pixels, face: Face, style: _Style, taken: Sequence[Box]) -> Box:
    """Draw track, label and confidence on a tag above or below, where it hides least."""
    is_known = face.emotion != UNKNOWN
    text = f"{face.label} {100 * face.confidence:.0f}%" if is_known else unknown_text(face)
    if face.track_id:
        text = f"#{face.track_id} {text}"
    width, height = text_width(text, style.letter) + 2 * style.gap, style.row
    frame = _frame_of(face)
    rows = frame.y - height, frame.y + frame.height
    columns = frame.x, frame.x + frame.width - width
    tags = [_moved_inside(Box(x, y, width, height), canvas) for y in rows for x in columns]
    tag = min(tags, key=lambda t: sum(t.iou(other) for other in taken))
    colour = EMOTION_COLOURS[face.label]
    x0, y0, x1, y1 = _corners(tag)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, -1)
    draw_text(
        canvas,
        text,
        x0 + style.gap,
        y0 + style.gap,
        ink_on(colour),
        size=style.letter,
    )
    return tag


def _draw_panel(canvas: Pixels, face: Face, style: _Style, taken: list[Box]) -> None:
    """Draw the seven probabilities as bars beside the face, unless they would hide something."""
    names = max(text_width(name, style.letter) for name in EMOTIONS)
    bars, row = round(4.5 * style.letter), round(1.75 * style.letter)
    width, height = names + bars + 3 * style.gap, len(EMOTIONS) * row + 2 * style.gap
    place = _free_place(_frame_of(face), width, height, style, canvas, taken)
    if place is None:
        return
    taken.append(place)
    _shade(canvas, place)
    x, y = round(place.x) + style.gap, round(place.y) + style.gap
    strongest = int(face.probabilities.argmax()) if face.emotion == UNKNOWN else face.emotion
    for i, (name, p) in enumerate(zip(EMOTIONS, face.probabilities, strict=True)):
        top = y + i * row + (row - round(style.letter)) // 2
        ink = LIGHT if i == strongest else (185, 185, 185)
        draw_text(canvas, name, x, top, ink, size=style.letter)
        left, bottom = x + names + style.gap, top + round(style.letter)
        cv2.rectangle(canvas, (left, top), (left + bars, bottom), (75, 75, 75), -1)
        end = left + round(bars * float(p))
        if end > left:
            cv2.rectangle(canvas, (left, top), (end, bottom), EMOTION_COLOURS[name], -1)


def _free_place(
    frame: Box, width: int, height: int, style: _Style, canvas: Pixels, taken: Sequence[Box]
) -> Box | None:
    """Return a place beside, below or above a face, inside the image and not yet taken."""
    tag = style.row + style.gap
    places = (
        Box(frame.x + frame.width + style.gap, frame.y, width, height),
        Box(frame.x - width - style.gap, frame.y, width, height),
        Box(frame.x, frame.y + frame.height + tag, width, height),
        Box(frame.x, frame.y - tag - height, width, height),
    )
    for place in places:
        # Moving it up or down into the image is allowed, sideways over the face is not.
        moved = _moved_inside(place, canvas)
        inside = moved.x == place.x and moved.y + height <= canvas.shape[0]
        if inside and all(moved.iou(other) == 0.0 for other in taken):
            return moved
    return None


def _draw_title(canvas: Pixels, title: str, style: _Style) -> Box:
    """Draw a strip over the whole width; text that does not fit is cut off."""
    width = canvas.shape[1]
    title = fit_text(title, width - 2 * style.gap, style.letter)
    strip = Box(0, 0, width, style.row)
    _shade(canvas, strip)
    draw_text(canvas, title, style.gap, style.gap, LIGHT, size=style.letter)
    return strip


def _draw_attention(canvas: Pixels, face: Face) -> None:
    """Draw the map of the strongest emotion, in colour, over the crop of the network."""
    if face.attention is None or face.crop is None:
        return
    values = face.attention[int(np.argmax(face.probabilities))]
    peak = float(values.max())
    corners = face.crop.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    part = _part(canvas, Box(*low.tolist(), *(high - low).tolist()))
    if peak <= 0.0 or not part.size:
        return
    size = 256
    smooth = cv2.resize(values / peak, (size, size), interpolation=cv2.INTER_CUBIC)
    heat = np.clip(255 * smooth, 0, 255).astype(np.uint8)
    back = cv2.invertAffineTransform(face.crop.matrix(size))
    back[:, 2] -= np.maximum(np.round(low), 0.0)
    strength = cv2.warpAffine(heat, back, part.shape[1::-1], flags=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(strength, cv2.COLORMAP_INFERNO)
    opacity = (strength.astype(np.float32) * (0.6 / 255))[..., None]
    part[:] = (part * (1 - opacity) + colours * opacity).astype(np.uint8)


def _shade(canvas: Pixels, box: Box) -> None:
    part = _part(canvas, box)
    part[:] = (part * (1 - _PANEL_OPACITY) + np.array(DARK) * _PANEL_OPACITY).astype(np.uint8)


def _part(canvas: Pixels, box: Box) -> Pixels:
    """Return a view of the pixels of the box, as far as it lies inside."""
    x0, y0, x1, y1 = _corners(box.clipped(canvas.shape[1], canvas.shape[0]))
    return canvas[y0:y1, x0:x1]


def _frame_of(face: Face) -> Box:
    """Return the rectangle drawn around a face: a little larger than the tight box."""
    box, margin = face.box, 0.06 * face.box.size
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)


def _core(face: Face) -> Box:
    """Return the part of a face that no panel may cover: all but a little above and below."""
    box = face.box
    return Box(box.x, box.y + 0.05 * box.height, box.width, 0.9 * box.height)


def _corners(box: Box) -> tuple[int, int, int, int]:
    x1, y1 = box.x + box.width, box.y + box.height
    return round(box.x), round(box.y), round(x1), round(y1)


def _moved_inside(box: Box, canvas: Pixels) -> Box:
    height, width = canvas.shape[:2]
    x = min(max(box.x, 0.0), max(width - box.width, 0.0))
    y = min(max(box.y, 0.0), max(height - box.height, 0.0))
    return Box(x, y, box.width, box.height)
