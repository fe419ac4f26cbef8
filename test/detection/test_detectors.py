"""Detectors: selection by name, boxes on photographs, rejected files, bounded cost."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection import factory
from edan_ros.detection.base import IDENTITY_BOX, WIDER_FACE_BOX, BoxMap, DetectorError
from edan_ros.detection.external_boxes import ExternalBoxes
from edan_ros.detection.factory import create_detector

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
YUNET = DATA / "detectors" / "yunet_n_640.onnx"
has_haar = pytest.mark.skipif(
    not hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has no Haar cascades"
)
has_data = pytest.mark.skipif(not YUNET.is_file(), reason="../shared/data is not here")


def photographs(step: int) -> list[tuple[Image, np.ndarray]]:
    """Every step-th photograph of landmarks68 with its (68, 2) landmarks."""
    labels = np.load(DATA / "landmarks68" / "labels.npz")
    names, landmarks = labels["name"][::step], labels["landmarks"][::step]
    with zipfile.ZipFile(DATA / "landmarks68" / "images.zip") as archive:
        data = [np.frombuffer(archive.read(str(name)), np.uint8) for name in names]
    return [
        (Image(cv2.imdecode(d, cv2.IMREAD_COLOR), "bgr"), points)
        for d, points in zip(data, landmarks, strict=True)
    ]


def test_box_map_by_hand() -> None:
    """A box of 100 x 200 centred on (60, 120): shifted by 10 and 40, scaled to 50 x 50."""
    box = BoxMap(dx=0.1, dy=0.2, width=0.5, height=0.25)(Box(10, 20, 100, 200))
    assert (box.x, box.y, box.width, box.height) == pytest.approx((45, 135, 50, 50))


def test_full_frame_gives_one_box_inside_the_image() -> None:
    found = create_detector("full_frame").detect(Image(np.zeros((48, 60), np.uint8), "mono"))
    assert len(found) == 1
    box = found[0].box
    assert box.clipped(60, 50).area == pytest.approx(box.area)


def test_external_boxes_are_mapped_and_used_once() -> None:
    image = Image(np.zeros((100, 100), np.uint8), "mono")
    source = ExternalBoxes()
    assert source.detect(image) == []
    source.feed([Detection(Box(0, 0, 10, 10), 0.5), Detection(Box(20, 20, 40, 50), 0.9)])
    found = source.detect(image)
    assert [d.score for d in found] == [0.9, 0.5]
    assert found[0].box == WIDER_FACE_BOX(Box(20, 20, 40, 50))
    assert source.detect(image) == []
    tight = ExternalBoxes(IDENTITY_BOX)
    tight.feed([Detection(Box(1, 2, 30, 40))])
    assert tight.detect(image)[0].box == Box(1, 2, 30, 40)


def test_auto_selects_haar_without_shipped_weights_or_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Cascade:
        def __init__(self, path: str) -> None:
            self.path = path

        def empty(self) -> bool:
            return False

    monkeypatch.setattr(cv2, "CascadeClassifier", Cascade, raising=False)
    monkeypatch.setattr(cv2, "data", SimpleNamespace(haarcascades=str(tmp_path)), raising=False)
    (tmp_path / "haarcascade_frontalface_alt2.xml").touch()
    monkeypatch.setattr(factory, "shipped_models", lambda _task: [])
    assert create_detector("auto").name == "haar"


def test_an_opencv_without_cascades_names_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 5 has no CascadeClassifier: the import works, and the error names the remedy."""
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(DetectorError, match="YuNet"):
        create_detector("haar")


def test_an_opencv_without_face_detector_yn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FaceDetectorYN", raising=False)
    with pytest.raises(DetectorError, match="FaceDetectorYN"):
        create_detector("yunet", model_path=__file__)


def test_files_that_are_not_models_are_rejected(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(DetectorError, match=r"broken\.onnx"):
        create_detector("yunet", model_path=str(broken))
    another = Path(factory.__file__).parents[1] / "weights" / "edan-lite.onnx"
    with pytest.raises(DetectorError, match=r"edan-lite\.onnx.*no YuNet"):
        create_detector("yunet", model_path=str(another))
    with pytest.raises(DetectorError, match="missing"):
        create_detector("yunet")
    with pytest.raises(ValueError, match="'yolo' is unknown"):
        create_detector("yolo")


@has_haar
def test_a_file_that_is_not_a_cascade_is_rejected(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<opencv_storage></opencv_storage>")
    with pytest.raises(DetectorError, match=r"broken\.xml"):
        create_detector("haar", model_path=str(broken))


def every_detector() -> list[pytest.param]:
    return [
        pytest.param("haar", "", marks=has_haar),
        pytest.param("yunet", str(YUNET), marks=has_data),
        pytest.param("full_frame", ""),
    ]


@pytest.mark.parametrize(("name", "path"), every_detector())
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (30, 30), (6000, 8000), (50, 60, 3)])
def test_any_image_size_without_a_face_gives_no_detection(
    name: str, path: str, shape: tuple
) -> None:
    detector = create_detector(name, model_path=path)
    found = detector.detect(
        Image(np.full(shape, 90, np.uint8), "mono" if len(shape) == 2 else "rgb")
    )
    assert len(found) == (1 if name == "full_frame" else 0)


@has_data
def test_small_images_are_padded_for_yunet() -> None:
    """OpenCV reads uninitialised memory where YuNet's coarsest feature map is one cell: in one of
    fifty runs on an image of 30 x 30 it detects a face, with a score of up to 1."""
    image = Image(np.full((30, 30), 90, np.uint8), "mono")
    for _ in range(40):
        assert create_detector("yunet", model_path=str(YUNET)).detect(image) == []


@pytest.mark.parametrize(("name", "path"), every_detector()[:2])
def test_boxes_found_in_a_shrunk_copy_are_scaled_to_the_image(name: str, path: str) -> None:
    """An enlarged photograph gives the boxes of the original, enlarged."""
    if not DATA.is_dir():
        pytest.skip("../shared/data is not here")
    image, landmarks = photographs(1207)[0]
    factor = 5
    large = Image(cv2.resize(image.pixels, None, fx=factor, fy=factor), "bgr")
    found = create_detector(name, model_path=path, max_side=320).detect(large)
    expected = Box.from_landmarks(landmarks * factor)
    assert max(d.box.iou(expected) for d in found) > 0.5


@has_data
@pytest.mark.parametrize(
    ("name", "path", "recall", "overlap"),
    [
        pytest.param("yunet", str(YUNET), 0.99, 0.85),
        pytest.param("haar", "", 0.8, 0.72, marks=has_haar),
    ],
)
def test_faces_of_photographs_are_found_at_their_landmarks(
    name: str, path: str, recall: float, overlap: float
) -> None:
    """Every 20th photograph: recall at IoU 0.4, mean IoU, and an unbiased box map."""
    detector = create_detector(name, model_path=path, min_face=12.0)
    overlaps, offsets = [], []
    photos = photographs(20)
    for image, landmarks in photos:
        truth = Box.from_landmarks(landmarks)
        found = detector.detect(image)
        best = max(found, key=lambda d: d.box.iou(truth), default=None)
        if best is None or best.box.iou(truth) < 0.4:
            continue
        overlaps.append(best.box.iou(truth))
        shift = np.subtract(truth.center, best.box.center) / best.box.size
        ratio = truth.width / best.box.width, truth.height / best.box.height
        offsets.append([*shift, *np.log(ratio)])
    assert len(overlaps) / len(photos) >= recall
    assert np.mean(overlaps) >= overlap
    assert np.abs(np.median(offsets, axis=0)).max() < 0.04


@has_data
def test_crops_of_yunet_points_are_close_to_those_of_the_landmarks() -> None:
    detector = create_detector("yunet", model_path=str(YUNET), min_face=12.0)
    errors = []
    for image, landmarks in photographs(20):
        truth = Crop.from_landmarks(landmarks)
        found = max(detector.detect(image), key=lambda d: d.box.iou(Box.from_landmarks(landmarks)))
        crop = found.crop()
        errors.append(
            [
                np.hypot(*(crop.center - truth.center)) / truth.side,
                abs(np.log(crop.side / truth.side)),
                abs(crop.roll - truth.roll),
            ]
        )
    assert np.all(np.median(errors, axis=0) < (0.04, 0.06, 0.06))


@has_data
def test_yunet_counts_from_pixel_centres() -> None:
    """The detection in a mirrored image is the mirrored detection."""
    detector = create_detector("yunet", model_path=str(YUNET), min_face=12.0)
    doubled = []
    for image, landmarks in photographs(10):
        mirrored = Image(np.ascontiguousarray(image.pixels[:, ::-1]), "bgr")
        truth, other = Box.from_landmarks(landmarks), landmarks * (-1, 1) + (image.width - 1, 0)
        one = max(detector.detect(image), key=lambda d: d.box.iou(truth))
        turned = Box.from_landmarks(other)
        two = max(detector.detect(mirrored), key=lambda d: d.box.iou(turned))
        width = image.width - 1
        doubled.append(
            [
                one.points[:, 0].mean() + two.points[:, 0].mean() - width,
                one.box.center[0] + two.box.center[0] - width,
            ]
        )
    assert np.abs(np.median(doubled, axis=0) / 2).max() < 0.3
