"""Draw results into an image: boxes, landmarks, labels and probabilities.

A face has a panel with its seven probabilities beside it. In groups, and for small faces, a bar as
wide as the box takes its place. Where the eyes are measured, a ray shows from each pupil where they
look, and a bar beside each eye how far it is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_LABEL, UNKNOWN_REASONS
from edan_ros.core.eyes import pupils
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.geometry import OUTLINES
from edan_ros.core.images import Image
from edan_ros.drawing.colours import DARK, EMOTION_COLOURS, LIGHT, SKY, Pixels, ink_on
from edan_ros.drawing.layout import Layout
from edan_ros.drawing.text import draw_text, text_width

_PANEL_OPACITY = 0.7
#: Height in pixels of the smallest legible capital letter.
_MIN_LETTER = 7.0
_SUBPIXEL_BITS = 4
#: Number of faces from which, and size in pixels below which, faces have bars instead of panels.
_GROUP, _SMALL_FACE = 3, 80
#: Sizes in pixels below which landmarks are faint, and below which there are none; eyes have
#: neither rays nor bars where landmarks are faint.
_FAINT_LANDMARKS, _NO_LANDMARKS = 96, 48
#: Length of the ray of a gaze parallel to the image, as a fraction of the size of the face.
_RAY = 0.8
#: Openness below which an eye has no ray: its lid hides the pupil.
_CLOSED = 0.2
_BAR_HEIGHT = 4
#: Pixels between a box, its label and its bar.
_GAP = 2


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in pixels, derived from the height of a capital letter."""

    letter: float

    @staticmethod
    def of_image(width: int, height: int) -> _Style:
        return _Style(float(np.clip(0.021 * min(height, 0.75 * width), _MIN_LETTER, 26.0)))

    def of_face(self, face: Face) -> _Style:
        """Return a style with smaller letters for a small face."""
        return _Style(min(self.letter, max(0.1 * face.box.size, _MIN_LETTER)))

    @property
    def gap(self) -> int:
        """Space around text."""
        return max(round(0.55 * self.letter), 3)

    @property
    def row(self) -> int:
        """Height of a line of text with its gaps."""
        return round(self.letter) + 2 * self.gap

    @property
    def bar(self) -> int:
        """Height of a bar of probabilities with its outline."""
        return max(round(0.3 * self.letter), _BAR_HEIGHT) + 2

    @property
    def padding(self) -> int:
        """Space before and after the text of a label, whose ends are round."""
        return self.gap + round(0.15 * self.letter)


def annotate(
    image: Image | Pixels,
    result: FrameResult | Sequence[Face],
    *,
    landmarks: bool = True,
    panels: bool = True,
    attention: bool = False,
    eyes: bool = True,
) -> Pixels:
    """Return a copy of the image, (height, width, 3) BGR, with the faces drawn in.

    Widths and letters scale with the image and the faces. Labels, bars and panels stay inside the
    image and cover no face and none of each other; what finds no place is left out. Only one or two
    faces that fill the image have their labels in a corner of their box. An unknown emotion is
    labelled with its reason in place of a confidence.

    Args:
        image: an Image or (height, width, 3) BGR pixels.
        landmarks: whether to draw them, on faces of 48 pixels or more.
        panels: whether to draw the seven probabilities: beside a face, or in a bar below it for
            three or more faces, faces smaller than 80 pixels and where there is no room.
        attention: the map of the strongest emotion over the face.
        eyes: whether to draw gaze rays and openness, where measured, on faces of 96 pixels or more.
    """
    faces = result.faces if isinstance(result, FrameResult) else result
    canvas = np.array(image.bgr() if isinstance(image, Image) else image, np.uint8, order="C")
    height, width = canvas.shape[:2]
    style = _Style.of_image(width, height)
    layout = Layout(width, height, [_frame_of(face) for face in faces])
    for face in faces:
        if attention:
            _draw_attention(canvas, face)
        if landmarks:
            _draw_landmarks(canvas, face)
        _draw_box(canvas, face)
        if eyes:
            _draw_eyes(canvas, face)
    few = len(faces) < _GROUP
    large = [few and face.box.size >= _SMALL_FACE for face in faces]
    # Panels first: they need most room.
    with_bar = [
        panels and not (wide and _draw_panel(canvas, face, style.of_face(face), layout))
        for face, wide in zip(faces, large, strict=True)
    ]
    for face, wide, bar in zip(faces, large, with_bar, strict=True):
        placed = _draw_label(canvas, face, style.of_face(face), layout, bar)
        if wide and not placed:
            _draw_label_inside(canvas, face, style.of_face(face))
    return canvas


def unknown_text(face: Face) -> str:
    """Return the label of an unknown emotion with its reason: "unknown (turned away)"."""
    reason = UNKNOWN_REASONS[face.unknown_reason].replace("_", " ")
    return f"{UNKNOWN_LABEL} ({reason})" if reason else UNKNOWN_LABEL


def _draw_landmarks(canvas: Pixels, face: Face) -> None:
    points = np.round(face.landmarks * 2**_SUBPIXEL_BITS).astype(np.int32)
    size, colour = face.box.size, EMOTION_COLOURS[face.label]
    if size < _NO_LANDMARKS:
        return
    thick = max(round(size / 250.0), 1)
    # Opaque lines would hide a small face.
    part = _part(canvas, _frame_of(face)) if size < _FAINT_LANDMARKS else None
    before = None if part is None else part.copy()
    for first, last, closed in OUTLINES:
        line = points[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(canvas, [line], closed, colour, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
    if part is not None and before is not None:
        part[:] = (0.5 * part + 0.5 * before).astype(np.uint8)
        return
    radius = round(max(size / 160.0, 0.8) * 2**_SUBPIXEL_BITS)
    for x, y in points.tolist():
        cv2.circle(canvas, (x, y), radius, LIGHT, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_eyes(canvas: Pixels, face: Face) -> None:
    """Draw a ray along the gaze from each open eye, and a bar of openness beside each eye."""
    eyes, size, points = face.eyes, face.box.size, face.landmarks
    if eyes is None or size < _FAINT_LANDMARKS:
        return
    thin = max(round(size / 200.0), 1)
    if eyes.gaze is not None:
        ray = _RAY * size * np.asarray(eyes.gaze)[:2]
        for eye, openness in zip(pupils(points, eyes.yaw, eyes.pitch), eyes.openness, strict=True):
            if openness < _CLOSED:
                continue
            begin, end = (_subpixel(point) for point in (eye, eye + ray))
            for colour, width in ((DARK, thin + 2), (SKY, thin)):
                cv2.line(canvas, begin, end, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)
            radius = round(max(size / 100.0, 1.2) * 2**_SUBPIXEL_BITS)
            cv2.circle(canvas, begin, radius, SKY, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    across = np.asarray(points[45] - points[36], np.float64)  # from outer corner to outer corner
    up = np.array([across[1], -across[0]])
    for outer, side, openness in zip((36, 45), (-1.0, 1.0), eyes.openness, strict=True):
        if np.isnan(openness):
            continue
        foot = points[outer] + 0.12 * side * across - 0.08 * up
        whole, part = (_subpixel(foot + share * 0.16 * up) for share in (1.0, float(openness)))
        cv2.line(canvas, _subpixel(foot), whole, DARK, thin + 3, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.line(canvas, _subpixel(foot), part, SKY, thin + 1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _subpixel(point: NDArray[np.floating]) -> tuple[int, int]:
    """Return a point as OpenCV takes it with _SUBPIXEL_BITS."""
    x, y = np.round(np.asarray(point, np.float64) * 2**_SUBPIXEL_BITS).astype(int).tolist()
    return x, y


def _draw_box(canvas: Pixels, face: Face) -> None:
    """Draw thin lines with stronger corners."""
    x0, y0, x1, y1 = _corners(_frame_of(face))
    colour = EMOTION_COLOURS[face.label]
    thin = max(round(face.box.size / 250.0), 1)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thin, cv2.LINE_AA)
    arm = max(round(0.18 * face.box.size), 4)
    thick = 1 + max(round(face.box.size / 110.0), 1)
    for x, dx in ((x0, arm), (x1, -arm)):
        for y, dy in ((y0, arm), (y1, -arm)):
            cv2.line(canvas, (x, y), (x + dx, y), colour, thick, cv2.LINE_AA)
            cv2.line(canvas, (x, y), (x, y + dy), colour, thick, cv2.LINE_AA)


def _label_texts(face: Face) -> list[str]:
    """Return the texts that a label may have, from the longest to the shortest."""
    is_known = face.emotion != UNKNOWN
    text = f"{face.label} {100 * face.confidence:.0f}%" if is_known else unknown_text(face)
    track = f"#{face.track_id} " if face.track_id else ""
    return [track + text, text, face.label]


def _draw_label(canvas: Pixels, face: Face, style: _Style, layout: Layout, with_bar: bool) -> bool:
    """Draw track, label and confidence outside the box; return whether there was room."""
    texts = [
        (text, text_width(text, style.letter) + 2 * style.padding) for text in _label_texts(face)
    ]
    for bar in (style.bar, 0) if with_bar else (0,):
        for text, width in texts:
            places = layout.label_places(_frame_of(face), width, style.row, _GAP, bar)
            boxes = layout.take(places)
            if boxes is None:
                continue
            _draw_tag(canvas, boxes[0], text, face, style)
            if bar:
                _draw_bar(canvas, boxes[1], face)
            elif with_bar:
                _draw_bar_alone(canvas, face, style, layout)
            return True
    if with_bar:
        _draw_bar_alone(canvas, face, style, layout)
    return False


def _draw_label_inside(canvas: Pixels, face: Face, style: _Style) -> None:
    """Draw the label of a face that fills the image in a corner with few landmarks."""
    text = _label_texts(face)[0]
    width, height = text_width(text, style.letter) + 2 * style.padding, style.row
    x0, y0, x1, y1 = _corners(_frame_of(face).clipped(canvas.shape[1], canvas.shape[0]))
    corners = [Box(x, y, width, height) for y in (y1 - height, y0) for x in (x0, x1 - width)]

    def hidden(box: Box) -> int:
        low, high = (box.x, box.y), (box.x + box.width, box.y + box.height)
        return int(((face.landmarks >= low) & (face.landmarks < high)).all(axis=1).sum())

    _draw_tag(canvas, min(corners, key=hidden), text, face, style)


def _draw_tag(canvas: Pixels, box: Box, text: str, face: Face, style: _Style) -> None:
    """Draw a text on a ground with round ends."""
    colour = EMOTION_COLOURS[face.label]
    x0, y0, x1, y1 = _corners(box)
    radius = (y1 - y0) // 2
    cv2.rectangle(canvas, (x0 + radius, y0), (x1 - 1 - radius, y1 - 1), colour, -1)
    for x in (x0 + radius, x1 - 1 - radius):
        cv2.circle(canvas, (x, y0 + radius), radius, colour, -1, cv2.LINE_AA)
    x, y = x0 + style.padding, y0 + style.gap
    draw_text(canvas, text, x, y, ink_on(colour), size=style.letter)


def _draw_bar(canvas: Pixels, box: Box, face: Face) -> None:
    """Draw the seven probabilities as parts of one bar with a dark outline."""
    x0, y0, x1, y1 = _corners(box)
    canvas[y0:y1, x0:x1] = DARK
    x0, y0, x1, y1 = x0 + 1, y0 + 1, x1 - 1, y1 - 1
    ends = np.round(x0 + (x1 - x0) * np.minimum(np.cumsum(face.probabilities), 1.0)).astype(int)
    for name, begin, end in zip(EMOTIONS, [x0, *ends.tolist()], ends.tolist(), strict=False):
        canvas[y0:y1, begin:end] = EMOTION_COLOURS[name]


def _draw_bar_alone(canvas: Pixels, face: Face, style: _Style, layout: Layout) -> None:
    boxes = layout.take(layout.bar_places(_frame_of(face), _GAP, style.bar))
    if boxes is not None:
        _draw_bar(canvas, boxes[0], face)


def _draw_panel(canvas: Pixels, face: Face, style: _Style, layout: Layout) -> bool:
    """Draw the seven probabilities as bars beside the face; return whether there was room."""
    names = max(text_width(name, style.letter) for name in EMOTIONS)
    bars, row = round(4.5 * style.letter), round(1.75 * style.letter)
    width, height = names + bars + 3 * style.gap, len(EMOTIONS) * row + 2 * style.gap
    boxes = layout.take(layout.panel_places(_frame_of(face), width, height, style.gap))
    if boxes is None:
        return False
    _shade(canvas, boxes[0])
    x, y = round(boxes[0].x) + style.gap, round(boxes[0].y) + style.gap
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
    return True


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


def _corners(box: Box) -> tuple[int, int, int, int]:
    x1, y1 = box.x + box.width, box.y + box.height
    return round(box.x), round(box.y), round(x1), round(y1)
