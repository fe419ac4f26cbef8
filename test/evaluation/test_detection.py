"""Figures of a detector, by hand, and the scenes that they are measured on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.evaluation.detection import Scene, evaluate, false_boxes
from edan_ros.evaluation.detection_scenes import (
    COVERS,
    asymmetry,
    covered,
    darkened,
    photograph_scenes,
    sized_face_scenes,
    sized_scenes,
    turned_away,
    turned_scenes,
)

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
    scene = Scene(IMAGE, (FACE,), (OTHER,))
    found = Fixed(FACE, OTHER, Box(0, 80, 10, 10)).detect(IMAGE)
    assert [d.box for d in false_boxes(scene, found)] == [Box(0, 80, 10, 10)]


def test_figures_by_hand() -> None:
    """Two scenes: one face hit, the other missed; one box beside everything in each."""
    detector = Fixed(Box(10, 10, 20, 10), Box(0, 80, 10, 10))
    figures = evaluate(detector, [Scene(IMAGE, (FACE,)), Scene(IMAGE, (OTHER,), (FACE,))])
    assert figures.images == 2
    assert figures.recall == 0.5
    assert figures.false_boxes == 1.0
    assert figures.clean == 0.0
    assert figures.overlap == pytest.approx(0.5)
    assert figures.milliseconds > 0.0


def test_without_faces_there_is_no_recall() -> None:
    figures = evaluate(Fixed(), [Scene(IMAGE)])
    assert math.isnan(figures.recall)
    assert figures.clean == 1.0
    with pytest.raises(ValueError, match="no images"):
        evaluate(Fixed(), [])


@pytest.fixture
def photograph() -> tuple[np.ndarray, np.ndarray]:
    """A picture of 320 x 200, black but for a white rectangle where the landmarks are."""
    pixels = np.zeros((200, 320, 3), np.uint8)
    pixels[50:100, 100:140] = 255
    x, y = np.meshgrid(np.linspace(100, 139, 17), np.linspace(50, 99, 4))
    return pixels, np.stack([x.ravel(), y.ravel()], axis=1)


def lit(scene: Scene, box: Box) -> float:
    """Mean grey level inside a box, less a pixel on each side."""
    x0, y0 = math.ceil(box.x) + 1, math.ceil(box.y) + 1
    x1, y1 = int(box.x + box.width) - 1, int(box.y + box.height) - 1
    return float(scene.image.pixels[y0:y1, x0:x1].mean())


def test_boxes_follow_the_pictures(photograph) -> None:
    """Enlarged, reduced, turned: the box stays on the white rectangle."""
    for scene in (
        photograph_scenes([photograph], Fixed())[0],
        sized_face_scenes([photograph], Fixed(), 24.0)[0],
        turned_scenes([photograph], Fixed(), 90.0)[0],
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


def test_small_faces_have_the_size_and_others_move_along(photograph) -> None:
    own = Box.from_landmarks(photograph[1])
    scene = sized_face_scenes([photograph], Fixed(own), 24.0)[0]
    assert (scene.image.height, scene.image.width) == (480, 640)
    assert scene.faces[0].size == pytest.approx(24.0)
    assert scene.others[0].iou(scene.faces[0]) > 0.9


def test_a_face_larger_than_the_picture_allows_for_its_photograph_stays_in_it(photograph) -> None:
    """Enlarged nine times the photograph is cut; the face is wholly in what remains."""
    own = Box.from_landmarks(photograph[1])
    scene = sized_face_scenes([photograph], Fixed(own), 9 * own.size)[0]
    box = scene.faces[0]
    assert box.size == pytest.approx(9 * own.size)
    assert box == box.clipped(640, 480)
    assert lit(scene, box) > 240
    assert scene.others[0].iou(box) > 0.95


def test_heads_are_sorted_by_how_far_they_turn() -> None:
    straight = (IMAGE.pixels, 50.0 * MEAN_SHAPE + 50.0)
    turned = straight[1].copy()
    turned[30, 0] += 12.0
    assert asymmetry(straight[1]) < 0.02
    assert 0.2 < asymmetry(turned) < 0.5
    both = [straight, (IMAGE.pixels, turned)]
    assert turned_away(both, 0.0, 0.1) == both[:1]
    assert turned_away(both, 0.1, 1.0) == both[1:]


def test_dark_and_covered_scenes_keep_their_faces(photograph) -> None:
    scenes = photograph_scenes([photograph], Fixed())
    dark, masked = darkened(scenes, 0.1, 0.0)[0], covered(scenes, COVERS["lower half"])[0]
    assert dark.faces == masked.faces == scenes[0].faces
    assert dark.image.pixels.max() == 25
    box = scenes[0].faces[0]
    upper = Box(box.x, box.y, box.width, 0.5 * box.height)
    lower = Box(box.x, box.y + 0.5 * box.height, box.width, 0.5 * box.height)
    assert lit(masked, upper) > 240 > 120 > lit(masked, lower)


def test_sized_scenes_have_the_size(photograph) -> None:
    scene = sized_scenes([photograph], 96, 64)[0]
    assert (scene.image.width, scene.image.height) == (96, 64)
    assert scene.faces == ()
