"""Specifications of data sets, class maps, samples and their crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import made_up_sets as trees
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.datasets import LAYOUTS, DataError, FaceSample, face_crop, labels, parse_dataset, read
from edan_ros.datasets.layouts import layout_of
from edan_ros.detection.full_frame import FullFrame


@pytest.mark.parametrize(
    ("text", "layout", "name", "path", "options"),
    [
        ("jaffe=x/y", "jaffe", "jaffe", "x/y", {}),
        ("CK+=x", "ckplus", "ckplus", "x", {}),
        ("RAF-DB:raf=x", "rafdb", "raf", "x", {}),
        ("300-W=x", "300w", "300w", "x", {}),
        ("folder:a=b:c=d", "folder", "a", "b:c=d", {}),
        ("kdef=x,y,views=S/HL", "kdef", "kdef", "x,y", {"views": "S/HL"}),
        (
            "fer2013:o=x,part=train,labels=original",
            *("fer2013", "o", "x", {"part": "train", "labels": "original"}),
        ),
        ("fer2013=x", "fer2013", "fer2013", "x", {}),
        ("fer2013:private=x", "fer2013", "private", "x", {"part": "private_test"}),
        ("fer2013:public=x", "fer2013", "public", "x", {"part": "public_test"}),
        ("fer2013:private=x,part=train", "fer2013", "private", "x", {"part": "train"}),
    ],
)
def test_specifications_of_data_sets(
    text: str, layout: str, name: str, path: str, options: dict[str, str]
) -> None:
    spec = parse_dataset(text)
    assert (spec.layout, spec.name, spec.path) == (layout, name, Path(path))
    assert spec.options == options


@pytest.mark.parametrize("text", ["jaffe", "jaffe=", "mine=x", "=x"])
def test_wrong_specifications(text: str) -> None:
    with pytest.raises(DataError):
        parse_dataset(text)


@given(st.text())
def test_any_text_is_a_specification_or_refused(text: str) -> None:
    try:
        spec = parse_dataset(text)
    except DataError:
        return
    assert spec.layout in LAYOUTS


def test_an_unknown_layout_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match="use one of affectnet, ckplus, fer2013"):
        layout_of("imagenet")


def test_an_option_with_a_wrong_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ckplus has no option part: its options are peaks, neu"):
        read("ckplus", tmp_path, part="train")
    trees.ckplus(tmp_path / "ck")
    with pytest.raises(DataError, match="ckplus: an option has a wrong value"):
        read("ckplus", tmp_path / "ck", peaks="many")


def test_class_maps_cover_the_seven_emotions() -> None:
    """Each map reaches every emotion that its set has, once."""
    every = set(range(len(EMOTIONS)))
    for numbers in (
        *(labels.FER2013, labels.FERPLUS, labels.MUXSPACE, labels.AFFECTNET),
        labels.CKPLUS_CSV,
    ):
        assert sorted(n for n in numbers if n is not None) == sorted(every)
    assert {n for n in labels.CKPLUS if n is not None} == every
    assert {n for n in labels.RAFDB if n is not None} == every
    assert [EMOTIONS[n] for n in labels.ISED[1:]] == ["happy", "surprise", "sad", "disgust"]
    assert labels.AFFECTNET[7:] == (None,) * 4
    assert labels.CKPLUS[2] is None
    assert labels.FERPLUS[7:] == (None,) * 3
    assert set(labels.JAFFE.values()) == set(labels.KDEF.values()) == every
    assert set(labels.SYNONYMS.values()) == every


def grey(size: int = 96) -> Image:
    return Image(np.zeros((size, size), np.uint8), "mono")


def sample(**known: object) -> FaceSample:
    return FaceSample("a", lambda: np.zeros((96, 96), np.uint8), **known)


def test_the_crop_uses_the_most_precise_annotation() -> None:
    points = trees.landmarks(40, 50)
    wanted = Crop.from_landmarks(points)
    found = face_crop(sample(landmarks=points), grey())
    np.testing.assert_allclose((*found.center, found.side), (*wanted.center, wanted.side))
    from edan_ros.core.crops import five_points

    found = face_crop(sample(points=five_points(points)), grey())
    np.testing.assert_allclose(found.center, wanted.center, atol=0.5)
    assert found.side == pytest.approx(wanted.side, rel=0.02)


def test_an_image_without_annotation_is_one_face() -> None:
    found = face_crop(sample(), grey())
    wanted = FullFrame().detect(grey())[0].crop()
    np.testing.assert_array_equal(found.center, wanted.center)
    assert found.side == wanted.side


def test_landmarks_that_make_no_crop_are_named() -> None:
    with pytest.raises(DataError, match="a: its landmarks make no crop"):
        face_crop(sample(landmarks=np.zeros((68, 2), np.float32)), grey())


def test_training_targets() -> None:
    np.testing.assert_allclose(sample(emotion=2).distribution(), np.eye(7)[2])
    np.testing.assert_allclose(sample(emotion=2).distribution(0.7)[:3], [0.1, 0.1, 0.4])
    assert np.isnan(sample().distribution()).all()
    target = np.full(7, 1 / 7, np.float32)
    np.testing.assert_array_equal(sample(emotion=2, target=target).distribution(0.5), target)


def test_images_keep_their_channels(tmp_path: Path) -> None:
    trees.save(tmp_path / "happy" / "grey.png")
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 2] = 200
    cv2.imwrite(str(tmp_path / "happy" / "red.png"), colour)
    grey_image, red = read("folder", tmp_path).samples
    assert (grey_image.image().order, red.image().order) == ("mono", "bgr")
    np.testing.assert_array_equal(red.read(), colour)


@pytest.mark.parametrize("name", ["a.PNG", "a.Jpg", "a.TIFF", "a.bmp", "a.webp", "a.pgm"])
def test_image_suffixes_of_any_case(tmp_path: Path, name: str) -> None:
    trees.save(tmp_path / "happy" / name, 90)
    (one,) = read("folder", tmp_path).samples
    assert one.read().shape[:2] == (48, 48)
    assert np.median(one.read()) == pytest.approx(90, abs=1)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_images_of_sixteen_bits_keep_their_grey_levels(
    tmp_path: Path, bits: int, ending: str
) -> None:
    """The bits in use keep 256 levels, whatever they are."""
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / f"a.{ending}"), levels << (bits - 8))
    (one,) = read("folder", tmp_path).samples
    np.testing.assert_array_equal(one.read(), levels)


def test_an_alpha_channel_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    image = np.full((8, 8, 4), 70, np.uint8)
    image[..., 3] = 9
    cv2.imwrite(str(tmp_path / "happy" / "a.png"), image)
    (one,) = read("folder", tmp_path).samples
    np.testing.assert_array_equal(one.read(), image[..., :3])


def test_a_file_that_is_not_an_image_is_named(tmp_path: Path) -> None:
    trees.write(tmp_path / "KA.AN1.1.tiff", "no image")
    trees.write(tmp_path / "KA.AN2.2.tiff", "")
    for one in read("jaffe", tmp_path).samples:
        with pytest.raises(DataError, match=r"KA\.AN\d\.\d\.tiff is (empty, )?not an image"):
            one.read()


def test_a_subset_is_evenly_spaced(tmp_path: Path) -> None:
    for number in range(10):
        trees.save(tmp_path / "sad" / f"{number}.png")
    faces = read("folder", tmp_path)
    assert [r.name[-5] for r in faces.subset(4).samples] == ["0", "3", "6", "9"]
    assert len(faces.subset(99)) == 10
