"""Data sets as one training set: sampling, landmark weights, pseudo-labels, unknown labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_type_hints

import cv2
import made_up_sets as trees
import numpy as np
import pytest

pytest.importorskip("torch", reason="the training layer needs the train extra (torch)")

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.datasets import LAYOUTS, DataError, FaceSample, FaceSet, read
from edan_ros.engines import Manifest, Prediction
from edan_ros.training.common.config import ConfigError
from edan_ros.training.emotion import pseudo_labels, sets
from edan_ros.training.emotion.sets import load_training_set, training_set_of


def records(*emotions: int | None, **known: object) -> list[FaceSample]:
    pixels = np.full((64, 64), 90, np.uint8)
    return [FaceSample(str(i), lambda: pixels, e, **known) for i, e in enumerate(emotions)]


def test_annotations_that_a_set_lacks_are_unknown(tmp_path: Path) -> None:
    """Emotions without landmarks beside landmarks without emotions."""
    trees.save(tmp_path / "mine" / "happy" / "1.png")
    trees.save(tmp_path / "300w" / "a.png")
    trees.pts(tmp_path / "300w" / "a.pts", trees.landmarks() + 1)
    samples = load_training_set({"mine": {"layout": "folder"}, "300w": {}}, tmp_path)
    assert len(samples) == 2
    np.testing.assert_array_equal(samples.emotions[0], np.eye(7)[1])
    assert np.isnan(samples.landmarks[0]).all()
    assert np.isnan(samples.emotions[1]).all()
    np.testing.assert_allclose(samples.landmarks[1], trees.landmarks(), atol=1e-4)
    wanted = Crop.from_landmarks(trees.landmarks())
    assert samples.crops[1].side == pytest.approx(wanted.side, rel=1e-4)


def test_entries_name_layout_path_and_options(tmp_path: Path) -> None:
    trees.fer2013_npz(tmp_path / "elsewhere" / "fer")
    data = {"mine": {"layout": "FER2013", "path": "elsewhere/fer", "labels": "original"}}
    assert len(load_training_set(data, tmp_path)) == 2
    data["mine"]["max_images"] = 1
    assert len(load_training_set(data, tmp_path)) == 1
    data["mine"]["path"] = str(tmp_path / "elsewhere" / "fer")
    assert len(load_training_set(data, Path("another/root"))) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"mine": {}}, "data: mine: there is no layout 'mine'"),
        ({"jaffe": {"part": "x"}}, "data: jaffe: unknown entry part; known: balance"),
        ({"jaffe": {"sampling_weight": {"joy": 2}}}, "joy is none of neutral, happy"),
        ({}, "names no data set"),
        ({"jaffe": 3}, "data: jaffe: should hold a mapping of entries, not 3"),
        ({"jafe": {}}, "did you mean 'jaffe'?"),
        ({"jaffe": {"balanse": 1}}, "unknown entry balanse; .*; did you mean 'balance'?"),
        ({"jaffe": {"smoothing": "x"}}, "data: jaffe: smoothing is 'x'; it should be a number"),
        ({"jaffe": {"smoothing": 2}}, "data: jaffe: smoothing is 2; it should be from 0 to 1"),
        ({"jaffe": {"balance": "x"}}, "data: jaffe: balance is 'x'; it should be a number"),
        ({"jaffe": {"balance": -1}}, "data: jaffe: balance is -1; it should be at least 0"),
        ({"jaffe": {"landmark_weight": []}}, "landmark_weight is .*; it should be a number"),
        ({"jaffe": {"max_images": 1.5}}, "max_images is 1.5; it should be a whole number"),
        ({"jaffe": {"max_images": 0}}, "max_images is 0; it should be at least 1"),
        ({"jaffe": {"sampling_weight": "x"}}, "is 'x'; it should be a mapping or a number"),
        ({"jaffe": {"sampling_weight": {"sad": "x"}}}, "sampling_weight: sad is 'x'; it should"),
        ({"jaffe": {"sampling_weight": {"sad": -1}}}, "sampling_weight: sad is -1; it should be"),
        ({"fer2013": {"label_sharpening": "x"}}, "label_sharpening is 'x'; it should be a number"),
        ({"background": {"seed": 1}}, "background: the entry detector, crops_per_image is missing"),
    ],
)
def test_wrong_entries_are_named(
    data: dict[str, dict[str, object]], expected: str, tmp_path: Path
) -> None:
    trees.save(tmp_path / "jaffe" / "KA.AN1.39.tiff")
    with pytest.raises(ConfigError, match=expected):
        load_training_set(data, tmp_path)


@pytest.mark.parametrize(
    ("name", "entry"),
    [("london", {}), ("kdef", {}), ("faces", {"layout": "london"}), ("kdef", {"layout": "folder"})],
)
def test_sets_for_validation_only_are_refused(name: str, entry: dict, tmp_path: Path) -> None:
    """They are refused before reading: no set here has a folder."""
    with pytest.raises(ConfigError, match=f"data: {name}: .*{name} is for validation only; remove"):
        load_training_set({"fer2013": {}, name: entry}, tmp_path)


def test_the_types_of_all_options_of_data_sets_are_known() -> None:
    """Without them a wrong value would fail inside the reader."""
    for layout in LAYOUTS.values():
        known = set(get_type_hints(layout.read))
        assert known >= set(layout.options), layout.read


def test_balance_samples_rarer_emotions_more_often() -> None:
    """Four happy, one sad, one unknown: at exponent 1 both emotions are sampled equally."""
    samples = training_set_of(FaceSet("all", records(1, 1, 1, 1, 2, None)), balance=1.0)
    np.testing.assert_allclose(samples.sampling_weights[:4], samples.sampling_weights[4] / 4)
    assert samples.sampling_weights[:5].sum() == pytest.approx(5.0)
    assert samples.sampling_weights[5] == 1.0
    np.testing.assert_allclose(
        training_set_of(FaceSet("all", records(1, 1, 2))).sampling_weights, 1.0
    )


def test_sampling_weights_by_emotion() -> None:
    faces = FaceSet("all", records(0, 1, 2, None))
    samples = training_set_of(faces, sampling_weight={"neutral": 0.4, "sad": 3})
    np.testing.assert_allclose(samples.sampling_weights, [0.4, 1.0, 3.0, 1.0])
    np.testing.assert_allclose(training_set_of(faces, sampling_weight=2).sampling_weights, 2.0)


def test_smoothing_is_spread_over_all_emotions() -> None:
    target = training_set_of(FaceSet("all", records(3)), smoothing=0.14).emotions[0]
    np.testing.assert_allclose(target, [0.02] * 3 + [0.88] + [0.02] * 3, atol=1e-6)


def test_landmarks_from_a_model_weigh_less() -> None:
    marked = records(1, landmarks=trees.landmarks())
    assert training_set_of(FaceSet("all", marked)).landmark_weights[0] == 1.0
    made = training_set_of(FaceSet("all", marked, pseudo_landmarks=True))
    assert made.landmark_weights[0] == sets.SET_LANDMARK_WEIGHT < 1.0
    assert training_set_of(FaceSet("all", marked), landmark_weight=0.25).landmark_weights[0] == 0.25


def test_large_images_are_reduced_to_the_region_of_the_face() -> None:
    """A dot on every landmark of a face in a large image stays on the landmark."""
    points = (MEAN_SHAPE * 300 + 600).astype(np.float32)
    pixels = np.zeros((1200, 1000), np.uint8)
    for x, y in points:
        cv2.circle(pixels, (round(x), round(y)), 8, 255, -1)
    faces = FaceSet("all", [FaceSample("a", lambda: pixels, landmarks=points)])
    samples = training_set_of(faces)
    assert max(samples.images[0].shape) <= 224
    index = np.round(samples.landmarks[0]).astype(int)
    assert (samples.images[0][index[:, 1], index[:, 0]] > 100).all()
    own = Crop.from_landmarks(samples.landmarks[0])
    np.testing.assert_allclose(own.center, samples.crops[0].center, atol=1e-2)
    assert own.side == pytest.approx(samples.crops[0].side, rel=1e-3)


def test_unreadable_images_are_left_out_and_logged(tmp_path: Path) -> None:
    for number in range(3):
        trees.save(tmp_path / "mine" / "happy" / f"{number}.png")
    (tmp_path / "mine" / "happy" / "1.png").write_bytes(b"cut")
    (tmp_path / "mine" / "contempt").mkdir()
    logged: list[str] = []
    data = {"mine": {"layout": "folder", "landmarks": None}}
    samples = load_training_set(data, tmp_path, logged.append)
    assert len(samples) == 2
    reading, line = logged
    assert reading == "mine: reading"
    assert line.startswith("mine: all: 2 images; left out: contempt (0); left out: images that")
    assert line.endswith(
        "1.png is not an image in JPEG, PNG, WebP, TIFF, BMP or PPM: convert it (1)"
    )
    with pytest.raises(DataError, match=r"1\.png is not an image"):
        training_set_of(read("folder", tmp_path / "mine"))
    for number in (0, 2):
        (tmp_path / "mine" / "happy" / f"{number}.png").unlink()
    with pytest.raises(DataError, match="no image of mine can be used: images that cannot"):
        load_training_set(data, tmp_path)


class RightHalfDetector:
    """Detects a face in the right half of each image that is not dark."""

    def detect(self, image: Image) -> list[Detection]:
        if image.pixels.mean() < 5:
            return []
        half = image.width / 2
        small = Detection(Box(0.0, 0.0, 9.0, 9.0))
        return [small, Detection(Box(half, 0.0, half, float(image.height)))]


def test_faces_of_photographs_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "create_detector", RightHalfDetector)
    dark = FaceSample("dark", lambda: np.zeros((64, 64), np.uint8), 3)
    marked = records(4, landmarks=trees.landmarks())
    faces = FaceSet("all", [*records(1), dark, *marked])
    left_out: Counter[str] = Counter()
    samples = training_set_of(faces, left_out=left_out)
    assert samples.emotions.argmax(axis=1).tolist() == [1, 4]
    assert left_out == {"images without a detected face": 1}
    found = Crop.from_box(Box(32.0, 0.0, 32.0, 64.0))
    assert (samples.crops[0].center[0], samples.crops[0].side) == (found.center[0], found.side)
    own = Crop.from_landmarks(trees.landmarks())
    assert samples.crops[1].side == own.side
    whole = training_set_of(faces)
    assert len(whole) == 3
    cut = training_set_of(FaceSet("all", [*records(1), dark], cropped=True), left_out=Counter())
    assert cut.crops[0].side == found.side
    assert cut.crops[1].side == whole.crops[1].side != found.side


class MeanFaceEngine:
    """Predicts the mean face in every crop, with a low presence in dark ones."""

    name, device, precision, input_size = "mean", "cpu", "fp32", 32

    def __init__(self) -> None:
        self.manifest = Manifest(Path("m.onnx"), "mean", "1", "", 32, presence_threshold=0.6)

    def infer(self, crops: np.ndarray) -> Prediction:
        n = len(crops)
        points = MEAN_SHAPE * 20 + 15.5
        return Prediction(
            np.repeat(points[None], n, axis=0).astype(np.float32),
            np.zeros((n, 7), np.float32),
            np.where(crops.mean(axis=(1, 2, 3)) > 10, 0.9, 0.5).astype(np.float32),
            np.zeros((n, 7, 4, 4), np.float32),
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_labels, "create_engine", lambda *_: MeanFaceEngine())


@pytest.mark.usefixtures("engine")
def test_a_model_adds_the_landmarks_that_a_set_lacks() -> None:
    dark = np.zeros((64, 64), np.uint8)
    human = trees.landmarks()
    faces = FaceSet("all", records(1, 2), cropped=True)
    faces.samples += [FaceSample("dark", lambda: dark, 3), *records(4, landmarks=human)]
    found, made = pseudo_labels.with_landmarks(faces, "mean")
    assert made.tolist() == [True, True, False, False]
    assert found.samples[2].landmarks is None
    assert found.samples[3].landmarks is human
    assert found.samples[0].landmarks.shape == (68, 2)
    assert [record.emotion for record in found.samples] == [1, 2, 3, 4]
    assert faces.samples[0].landmarks is None


@pytest.mark.usefixtures("engine")
def test_landmarks_from_an_own_model_weigh_less_than_those_of_a_set(tmp_path: Path) -> None:
    trees.rafdb(tmp_path / "rafdb")
    samples = load_training_set({"rafdb": {"landmarks": "mean"}}, tmp_path)
    assert np.isfinite(samples.landmarks).all()
    np.testing.assert_allclose(samples.landmark_weights, sets.OWN_LANDMARK_WEIGHT)
    assert sets.OWN_LANDMARK_WEIGHT < sets.SET_LANDMARK_WEIGHT
    samples = load_training_set({"rafdb": {"landmarks": "mean", "landmark_weight": 0.1}}, tmp_path)
    np.testing.assert_allclose(samples.landmark_weights, 0.1)


@pytest.mark.usefixtures("engine")
def test_a_model_that_finds_no_face_is_an_error() -> None:
    dark = np.zeros((64, 64), np.uint8)
    faces = FaceSet("all", [FaceSample("dark", lambda: dark, 3)], cropped=True)
    with pytest.raises(DataError, match="mean finds no face in the 1 images without landmarks"):
        pseudo_labels.with_landmarks(faces, "mean")
