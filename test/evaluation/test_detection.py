"""Metrics of a detector by hand, and the scenes of the evaluation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.evaluation.detection import DetectionScene, evaluate_detector, false_positives
from edan_ros.evaluation.detection_scenes import (
    OCCLUSIONS,
    darken,
    face_size_scenes,
    head_rotation_scenes,
    occlude,
    photograph_scenes,
    rotated_scenes,
    timing_scenes,
)
from edan_ros.evaluation.head_rotation import rotate_head

IMAGE = Image(np.zeros((100, 100, 3), np.uint8), "bgr")
FACE, OTHER = Box(10, 10, 20, 20), Box(60, 60, 20, 20)


class Fixed:
    """Finds the same boxes in every image."""

    name = "fixed"

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def detect(self, image: Image) -> list[Detection]:  # noqa: ARG002
        return [Detection(box) for box in self.boxes]


def test_a_box_on_another_persons_face_is_not_false() -> None:
    scene = DetectionScene(IMAGE, (FACE,), (OTHER,))
    found = Fixed(FACE, OTHER, Box(0, 80, 10, 10)).detect(IMAGE)
    assert [d.box for d in false_positives(scene, found)] == [Box(0, 80, 10, 10)]


def test_detection_metrics_by_hand() -> None:
    """Two scenes: one face hit, the other missed; one box beside everything in each."""
    detector = Fixed(Box(10, 10, 20, 10), Box(0, 80, 10, 10))
    figures = evaluate_detector(
        detector, [DetectionScene(IMAGE, (FACE,)), DetectionScene(IMAGE, (OTHER,), (FACE,))]
    )
    assert figures.images == 2
    assert figures.recall == 0.5
    assert figures.false_positives == 1.0
    assert figures.clean == 0.0
    assert figures.iou == pytest.approx(0.5)
    assert figures.milliseconds > 0.0


def test_without_faces_the_recall_is_undefined() -> None:
    figures = evaluate_detector(Fixed(), [DetectionScene(IMAGE)])
    assert math.isnan(figures.recall)
    assert figures.clean == 1.0
    with pytest.raises(ValueError, match="no images"):
        evaluate_detector(Fixed(), [])


@pytest.fixture
def photograph() -> tuple[np.ndarray, np.ndarray]:
    """An image of 320 x 200, black but for a white rectangle where the landmarks are."""
    pixels = np.zeros((200, 320, 3), np.uint8)
    pixels[50:100, 100:140] = 255
    x, y = np.meshgrid(np.linspace(100, 139, 17), np.linspace(50, 99, 4))
    return pixels, np.stack([x.ravel(), y.ravel()], axis=1)


def lit(scene: DetectionScene, box: Box) -> float:
    """Mean grey level inside a box, less a pixel on each side."""
    x0, y0 = math.ceil(box.x) + 1, math.ceil(box.y) + 1
    x1, y1 = int(box.x + box.width) - 1, int(box.y + box.height) - 1
    return float(scene.image.pixels[y0:y1, x0:x1].mean())


def test_boxes_follow_the_images(photograph) -> None:
    """Enlarged, reduced, turned: the box stays on the white rectangle."""
    for scene in (
        photograph_scenes([photograph], Fixed())[0],
        face_size_scenes([photograph], Fixed(), 24.0)[0],
        rotated_scenes([photograph], Fixed(), 90.0)[0],
    ):
        assert lit(scene, scene.faces[0]) > 240
    assert photograph_scenes([photograph], Fixed())[0].image.width == 640


def test_two_faces_of_one_photograph_are_one_scene(photograph) -> None:
    """What is false in it counts once."""
    pixels, landmarks = photograph
    other = pixels.copy()
    other[0, 0] ^= 255
    scenes = photograph_scenes(
        [(pixels, landmarks), (other, landmarks), (pixels.copy(), landmarks + 5.0)], Fixed()
    )
    assert [len(scene.faces) for scene in scenes] == [2, 1]
    first, second = scenes[0].faces
    assert second.x - first.x == pytest.approx(5.0 * 640 / max(pixels.shape))


def test_small_faces_have_the_size_and_ignored_boxes_move_along(photograph) -> None:
    own = Box.from_landmarks(photograph[1])
    scene = face_size_scenes([photograph], Fixed(own), 24.0)[0]
    assert (scene.image.height, scene.image.width) == (480, 640)
    assert scene.faces[0].size == pytest.approx(24.0)
    assert scene.ignore[0].iou(scene.faces[0]) > 0.9


def test_a_photograph_larger_than_the_canvas_is_cropped_around_the_face(photograph) -> None:
    """Enlarged nine times the photograph is cut; the face is wholly in what remains."""
    own = Box.from_landmarks(photograph[1])
    scene = face_size_scenes([photograph], Fixed(own), 9 * own.size)[0]
    box = scene.faces[0]
    assert box.size == pytest.approx(9 * own.size)
    assert box == box.clipped(640, 480)
    assert lit(scene, box) > 240
    assert scene.ignore[0].iou(box) > 0.95


def test_the_box_follows_a_head_that_is_rotated() -> None:
    """Heads turned beyond 20 degrees lack half of a face and are left out."""
    landmarks = np.float32(MEAN_SHAPE * 90 + (160, 100))
    pixels = np.zeros((200, 320, 3), np.uint8)
    frontal = head_rotation_scenes([(pixels, landmarks)], Fixed(), pitch=0.0)
    turned = head_rotation_scenes([(pixels, landmarks)], Fixed(), yaw=60.0, pitch=0.0)
    assert turned[0].faces[0].width < 0.85 * frontal[0].faces[0].width
    assert turned[0].faces[0].height == pytest.approx(frontal[0].faces[0].height, rel=0.02)
    profile = rotate_head(pixels, landmarks, 40.0, 0.0)
    assert head_rotation_scenes([profile], Fixed(), yaw=60.0) == []


def test_dark_and_occluded_scenes_keep_their_faces(photograph) -> None:
    scenes = photograph_scenes([photograph], Fixed())
    dark, masked = darken(scenes, 0.1, 0.0)[0], occlude(scenes, OCCLUSIONS["lower half"])[0]
    assert dark.faces == masked.faces == scenes[0].faces
    assert dark.image.pixels.max() == 25
    box = scenes[0].faces[0]
    upper = Box(box.x, box.y, box.width, 0.5 * box.height)
    lower = Box(box.x, box.y + 0.5 * box.height, box.width, 0.5 * box.height)
    assert lit(masked, upper) > 240 > 120 > lit(masked, lower)


def test_timing_scenes_have_the_size(photograph) -> None:
    scene = timing_scenes([photograph], 96, 64)[0]
    assert (scene.image.width, scene.image.height) == (96, 64)
    assert scene.faces == ()
