"""Readers of the layouts: images, labels, and messages about other folders."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import made_up_sets as trees
import numpy as np
import pytest

from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import DataError, FaceSet, read
from edan_ros.datasets.archives import is_held_out
from edan_ros.datasets.fer2013 import majority
from edan_ros.datasets.layouts import is_validation_only


def labels(faces: FaceSet) -> list[str | None]:
    return [None if r.emotion is None else EMOTIONS[r.emotion] for r in faces.samples]


def levels(faces: FaceSet) -> list[int]:
    """Return the grey level of each image, which numbers it; JPEG may be one off."""
    return [int(np.median(record.read())) for record in faces.samples]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([8, 1, 0, 0, 0, 0, 0, 0, 1, 0], "neutral"),
        ([0, 0, 7, 0, 0, 0, 3, 0, 0, 0], "surprise"),
        ([0, 0, 0, 6, 4, 0, 0, 0, 0, 0], "sad"),
        ([0, 0, 0, 0, 6, 4, 0, 0, 0, 0], "anger"),
        ([0, 0, 0, 0, 4, 6, 0, 0, 0, 0], "disgust"),
        ([0, 0, 4, 0, 0, 0, 6, 0, 0, 0], "fear"),
        ([0, 10, 0, 0, 0, 0, 0, 0, 0, 0], "happy"),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], None),  # a tie
        ([2, 0, 0, 0, 0, 0, 0, 8, 0, 0], None),  # contempt
        ([4, 0, 0, 0, 0, 0, 0, 0, 0, 6], None),  # not a face
    ],
)
def test_the_majority_of_ferplus_votes(votes: list[int], expected: str | None) -> None:
    found = int(majority(np.array([votes]))[0])
    assert found == (-1 if expected is None else EMOTIONS.index(expected))


class TestFer2013:
    @pytest.fixture
    def kept(self, tmp_path: Path) -> Path:
        return trees.fer2013_npz(tmp_path / "fer")

    def test_training_images_are_clear_and_not_in_the_test_parts(self, kept: Path) -> None:
        faces = read("fer2013", kept, training=True, original_label_weight=0.25)
        assert levels(faces) == [0]
        assert faces.samples[0].landmarks is None
        np.testing.assert_allclose(faces.samples[0].distribution(), np.eye(7)[1])
        assert faces.cropped
        assert faces.pseudo_landmarks

    def test_the_original_label_is_mixed_in_by_its_weight(self, kept: Path) -> None:
        with np.load(kept / "labels.npz") as file:
            values = {**file, "fer_label": np.full(6, 4)}
        np.savez(kept / "labels.npz", **values)
        target = (
            read("fer2013", kept, training=True, original_label_weight=0.25)
            .samples[0]
            .distribution()
        )
        np.testing.assert_allclose(target, [0, 0.75, 0.25, 0, 0, 0, 0])

    def test_sharpened_votes_favour_the_majority(self, kept: Path) -> None:
        with np.load(kept / "labels.npz") as file:
            values = dict(file)
        values["ferplus_votes"][0, :5] = [3, 6, 0, 0, 0]  # neutral, happy
        np.savez(kept / "labels.npz", **values)
        target = read(
            "fer2013", kept, training=True, original_label_weight=0.0, label_sharpening=2.0
        )
        np.testing.assert_allclose(target.samples[0].distribution()[:2], [0.2, 0.8])

    def test_stored_landmarks_count_from_the_image_corner(self, kept: Path) -> None:
        found = read("fer2013", kept).samples[0].landmarks
        np.testing.assert_allclose(found, trees.landmarks() - 0.5, atol=0.02)

    def test_the_public_test_is_the_default_part(self, kept: Path) -> None:
        public = read("fer2013", kept)
        assert (levels(public), labels(public)) == ([30], ["happy"])
        assert [record.agreement for record in public.samples] == [1.0]
        assert public.about == "public test, FER+ majority"
        private = read("fer2013", kept, part="private_test")
        assert (levels(private), labels(private)) == ([50], ["anger"])
        assert private.about == "private test, FER+ majority"

    def test_original_labels_include_every_image(self, kept: Path) -> None:
        faces = read("fer2013", kept, labels="original")
        assert labels(faces) == ["sad", "happy"]
        assert levels(faces) == [30, 40]
        assert faces.samples[0].agreement is None

    def test_the_csv_with_votes(self, tmp_path: Path) -> None:
        folder = trees.fer2013_csv(tmp_path / "kaggle")
        assert labels(read("fer2013", folder)) == ["fear"]
        assert labels(read("fer2013", folder / "fer2013.csv")) == ["fear"]
        assert labels(read("fer2013", folder, labels="original")) == ["sad"]
        assert labels(read("fer2013", folder, part="private_test")) == ["anger"]
        # The second training image has eight votes for contempt.
        assert levels(read("fer2013", folder, training=True)) == [10]

    def test_the_csv_without_votes(self, tmp_path: Path) -> None:
        folder = trees.fer2013_csv(tmp_path / "kaggle", votes=False)
        faces = read("fer2013", folder)
        assert (labels(faces), faces.about) == (["sad"], "public test, original labels")
        assert faces.samples[0].landmarks is None
        with pytest.raises(DataError, match=r"fer2013new\.csv beside the csv"):
            read("fer2013", folder, labels="ferplus")

    def test_a_damaged_row_is_named(self, tmp_path: Path) -> None:
        file = trees.write(tmp_path / "fer2013.csv", "emotion,pixels,Usage\n3,1 2 3,Training\n")
        with pytest.raises(DataError, match=r"fer2013\.csv, line 2: expected an emotion 0 to 6"):
            read("fer2013", file)
        trees.write(file, "emotion,Usage\n3,Training\n")
        with pytest.raises(DataError, match="lacks the column pixels"):
            read("fer2013", file)

    def test_a_folder_for_each_part_and_class(self, tmp_path: Path) -> None:
        trees.save(tmp_path / "train" / "angry" / "Training_1.jpg")
        trees.save(tmp_path / "test" / "fear" / "im1.png")
        trees.save(tmp_path / "test" / "happy" / "im2.png")
        assert labels(read("fer2013", tmp_path, training=True)) == ["anger"]
        both = read("fer2013", tmp_path)
        assert (labels(both), both.cropped) == (["fear", "happy"], True)
        assert both.about == "public and private test together, original labels"
        with pytest.raises(DataError, match="do not mark the private ones"):
            read("fer2013", tmp_path, part="private_test")
        with pytest.raises(DataError, match="have the original labels, not those of FER"):
            read("fer2013", tmp_path, labels="ferplus")

    def test_a_folder_of_the_validation_part_is_the_public_test(self, tmp_path: Path) -> None:
        for part, number in (("train", 3), ("validation", 4), ("test", 0)):
            trees.save(tmp_path / part / str(number) / "im1.png")
        assert labels(read("fer2013", tmp_path)) == ["sad"]
        private = read("fer2013", tmp_path, part="private_test")
        assert (labels(private), private.about) == (["anger"], "private test, original labels")

    def test_names_tell_the_two_test_parts_apart(self, tmp_path: Path) -> None:
        trees.save(tmp_path / "test" / "sad" / "PublicTest_1.jpg")
        trees.save(tmp_path / "test" / "neutral" / "PrivateTest_2.jpg")
        public = read("fer2013", tmp_path)
        assert (labels(public), public.about) == (["sad"], "public test, original labels")
        assert labels(read("fer2013", tmp_path, part="private_test")) == ["neutral"]

    def test_a_folder_of_no_known_form_is_named(self, tmp_path: Path) -> None:
        trees.save(tmp_path / "faces.png")
        with pytest.raises(DataError, match=r"fer2013\.csv or images\.zip .* or train/angry"):
            read("fer2013", tmp_path)

    def test_other_parts_and_labels_are_refused(self, kept: Path) -> None:
        with pytest.raises(DataError, match="part is 'test'; use train, public_test, priv"):
            read("fer2013", kept, part="test")
        with pytest.raises(DataError, match="labels is 'mine'"):
            read("fer2013", kept, labels="mine")


@pytest.mark.parametrize("header", [True, False])
def test_affectnet_as_csv(tmp_path: Path, header: bool) -> None:
    faces = read("affectnet", trees.affectnet_csv(tmp_path / "a", header=header))
    assert labels(faces) == ["neutral", "anger"]
    assert levels(faces) == [40, 41]
    np.testing.assert_allclose(faces.samples[0].landmarks, trees.landmarks(), atol=0.006)
    assert faces.notes == [
        "left out: contempt (1)",
        "left out: no expression (1)",
    ]


def test_affectnet_as_arrays(tmp_path: Path) -> None:
    folder = trees.affectnet_npy(tmp_path / "a")
    faces = read("affectnet", folder, training=True)
    assert labels(faces) == ["happy"]
    np.testing.assert_allclose(faces.samples[0].landmarks, trees.landmarks(150, 112))
    assert labels(read("affectnet", folder / "train_set")) == ["happy"]
    with pytest.raises(DataError, match="Only part=train exists here"):
        read("affectnet", folder)
    trees.save(tmp_path / "classes" / "train" / "happy" / "1.png")
    with pytest.raises(DataError, match="Only part=train exists"):
        read("affectnet", tmp_path / "classes")
    marks = folder / "train_set" / "annotations" / "0_lnd.npy"
    np.save(marks, np.zeros(5))
    with pytest.raises(DataError, match=r"0_lnd\.npy should hold 136 numbers; it holds 5"):
        read("affectnet", folder, training=True)
    marks.unlink()
    assert read("affectnet", folder, training=True).samples[0].landmarks is None


def test_affectnet_in_numbered_folders(tmp_path: Path) -> None:
    for number in range(8):
        trees.save(tmp_path / "val" / str(number) / "1.png")
    faces = read("affectnet", tmp_path)
    assert labels(faces) == ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"]
    assert faces.notes == ["left out: 7 (1)"]
    with pytest.raises(DataError, match="the folder '0' is none of afraid"):
        read("folder", tmp_path / "val")


def test_blank_lines_of_affectnet_are_skipped(tmp_path: Path) -> None:
    folder = trees.affectnet_csv(tmp_path / "a")
    file = folder / "Manually_Annotated_file_lists" / "validation.csv"
    file.write_text(file.read_text() + "\n")
    assert labels(read("affectnet", folder)) == ["neutral", "anger"]


def test_affectnet_names_all_its_forms(tmp_path: Path) -> None:
    expected = r"validation\.csv.*; or the folder val_set of the npy layout, or val with a folder"
    with pytest.raises(DataError, match=expected):
        read("affectnet", tmp_path)


def test_affectnet_as_folders(tmp_path: Path) -> None:
    for word in ("Anger", "Contempt", "happy", "sad", "suprise"):
        trees.save(tmp_path / "Train" / word / "1.png")
    trees.save(tmp_path / "Test" / "fear" / "1.png")
    train = read("affectnet", tmp_path, training=True)
    assert labels(train) == ["anger", "happy", "sad", "surprise"]
    assert (train.notes, train.cropped) == (["left out: Contempt (1)"], True)
    assert labels(read("affectnet", tmp_path)) == ["fear"]
    assert labels(read("affectnet", tmp_path / "Train")) == labels(train)


def test_ckplus_reads_the_peak_and_the_first_frame(tmp_path: Path) -> None:
    folder = trees.ckplus(tmp_path / "ck")
    faces = read("CK+", folder)
    assert labels(faces) == ["neutral", "surprise"]
    assert levels(faces) == [51, 54]
    assert faces.samples[1].name == "S005_001_00000004.png"
    np.testing.assert_allclose(faces.samples[1].landmarks, trees.landmarks(200, 240), atol=1e-3)
    assert faces.notes == [
        "left out: sequences of contempt (1)",
        "left out: sequences without a label (1)",
    ]
    assert levels(read("ckplus", folder, peaks="2", neutral="no")) == [53, 54]


def test_damaged_sequences_of_ckplus_are_read_in_part(tmp_path: Path) -> None:
    folder = trees.ckplus(tmp_path / "ck")
    frames = folder / "cohn-kanade-images"
    trees.write(folder / "Emotion" / "S011" / "003" / "S011_003_00000004_emotion.txt", "4")
    shutil.rmtree(frames / "S011")
    for file in sorted((frames / "S005" / "001").glob("*.png"))[:3]:
        file.unlink()
    faces = read("ckplus", folder)
    assert (labels(faces), levels(faces)) == (["surprise"], [54])
    assert "left out: labelled sequences without frames (1)" in faces.notes


def test_ckplus_as_rows_of_48_pixels(tmp_path: Path) -> None:
    rows = [(label, 10 * label, "Training") for label in range(8)]
    file = trees.pixel_csv(tmp_path / "ckextended.csv", rows)
    for path in (file, tmp_path):
        faces = read("ckplus", path)
        assert labels(faces) == [
            *("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        ]
        assert levels(faces) == [0, 10, 20, 30, 40, 50, 60]
        assert (faces.notes, faces.cropped) == (["left out: contempt (1)"], True)
    trees.pixel_csv(file, [(8, 10, "Training")])
    with pytest.raises(DataError, match=r"line 2: expected an emotion 0 to 7.*the emotion is 8"):
        read("ckplus", tmp_path)


def test_ckplus_as_folders(tmp_path: Path) -> None:
    """As unpacked, in a folder of its own: that is found too."""
    words = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for word in words:
        trees.save(tmp_path / "CK+48" / word / "S010_004_00000017.png")
    trees.write(tmp_path / "CK+48.zip", "")
    trees.write(tmp_path / "CK+48" / "labels.csv", "name,label\n")
    faces = read("ckplus", tmp_path)
    assert labels(faces) == ["anger", "disgust", "fear", "happy", "sad", "surprise"]
    assert (faces.notes, faces.cropped) == (["left out: contempt (1)"], True)


@pytest.mark.parametrize(
    ("images", "emotions"),
    [
        ("cohn-kanade-images/cohn-kanade-images", "Emotion"),
        ("cohn-kanade-images", "emotion-labels"),
        ("cohn-kanade-images", "Emotion_labels/Emotion"),
    ],
)
def test_ckplus_as_archives_unpack(tmp_path: Path, images: str, emotions: str) -> None:
    """In folders of other names, beside an empty one of labels."""
    made = trees.ckplus(tmp_path / "made")
    folder = tmp_path / "ck"
    for name, place in (("cohn-kanade-images", images), ("Emotion", emotions)):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (made / name).rename(folder / place)
    (folder / "Emotion").mkdir(exist_ok=True)
    assert labels(read("ckplus", folder)) == ["neutral", "surprise"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    """Links to folders are followed, one that leads back to where it is but once."""
    made = trees.ckplus(tmp_path / "made")
    for name in ("cohn-kanade-images", "Emotion", "Landmarks"):
        (tmp_path / "ck" / name).mkdir(parents=True)
        for person in (made / name).iterdir():
            (tmp_path / "ck" / name / person.name).symlink_to(person)
    assert labels(read("ckplus", tmp_path / "ck")) == ["neutral", "surprise"]
    trees.save(tmp_path / "elsewhere" / "KA.AN1.39.tiff")
    (tmp_path / "jaffe").mkdir()
    (tmp_path / "jaffe" / "KA").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "jaffe" / "again").symlink_to(tmp_path / "jaffe")
    assert labels(read("jaffe", tmp_path / "jaffe")) == ["anger"]


def test_ckplus_without_landmarks(tmp_path: Path) -> None:
    folder = trees.ckplus(tmp_path / "ck")
    shutil.rmtree(folder / "Landmarks")
    assert [record.landmarks for record in read("ckplus", folder).samples] == [None, None]


def test_ckplus_names_what_is_missing(tmp_path: Path) -> None:
    expected = (
        "should hold the folder cohn-kanade-images or .*; or faces of 48x48 as ckextended.csv"
    )
    with pytest.raises(DataError, match=expected):
        read("ckplus", tmp_path)
    folder = trees.ckplus(tmp_path / "ck")
    trees.write(folder / "subjects.csv", "person,age\n")
    assert len(read("ckplus", folder)) == 2
    shutil.rmtree(folder / "cohn-kanade-images" / "S005" / "001")
    with pytest.raises(DataError, match=r"Emotion should hold S005/001/S005_001_00000011_emotion"):
        read("ckplus", folder)
    shutil.rmtree(folder / "Emotion")
    with pytest.raises(
        DataError, match=r"should hold the folder Emotion.*it holds Landmarks, cohn"
    ):
        read("ckplus", folder)


def test_jaffe_labels_are_in_the_file_names(tmp_path: Path) -> None:
    trees.save(trees.jaffe(tmp_path) / "average.png")
    faces = read("jaffe", tmp_path)
    assert labels(faces) == ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    assert levels(faces) == [0, 10, 20, 30, 40, 50, 60]
    assert faces.notes == ["left out: images with other names (1)"]
    assert not faces.cropped


@pytest.mark.parametrize(
    "name",
    [
        "ka.an1.39.TIFF",
        "KA.AN1.39.tiff.jpg",
        "KA-AN1-39.png",
        "jaffe/KA/KA.AN1.39.bmp",
        "ANGRY/x.jpg",
    ],
)
def test_jaffe_in_other_forms(tmp_path: Path, name: str) -> None:
    trees.save(tmp_path / name, 10, (256, 256))
    assert labels(read("jaffe", tmp_path)) == ["anger"]


def test_kdef_labels_and_views_are_in_the_file_names(tmp_path: Path) -> None:
    codes = {"AF": "fear", "AN": "anger", "DI": "disgust", "HA": "happy"}
    codes |= {"NE": "neutral", "SA": "sad", "SU": "surprise"}
    trees.kdef(tmp_path)
    assert labels(read("kdef", tmp_path)) == [codes[code] for code in sorted(codes)]
    assert Counter(labels(read("kdef", tmp_path, views="S/FR"))) == dict.fromkeys(codes.values(), 2)
    trees.save(tmp_path / "AF31" / "AF31V.JPG")  # one of the set's own slips
    assert read("kdef", tmp_path, views="S").notes == [
        "left out: images with other names (1)",
        "left out: other views (14)",
    ]
    with pytest.raises(DataError, match="views is 'left'"):
        read("kdef", tmp_path, views=["left"])


def test_ferg_labels_are_in_the_file_names(tmp_path: Path) -> None:
    assert labels(read("ferg", trees.ferg(tmp_path))) == [
        *("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    ]


def test_rafdb_aligned_and_original_images(tmp_path: Path) -> None:
    folder = trees.rafdb(tmp_path / "raf")
    assert labels(read("RAF-DB", folder)) == ["neutral"]
    train = read("rafdb", folder, training=True)
    assert (labels(train), levels(train)) == (["sad", "surprise"], [70, 71])
    original = read("rafdb", folder, images="original")
    assert levels(original) == [172]
    np.testing.assert_array_equal(original.samples[0].points[0], [20, 20])
    assert original.cropped
    shutil.rmtree(folder / "basic" / "Annotation")
    without = read("rafdb", folder, images="original")
    assert (without.samples[0].points, without.cropped) == (None, False)
    images = folder / "basic" / "Image"
    (images / "aligned").rename(tmp_path / "aligned")
    assert levels(read("rafdb", folder)) == [172]
    (images / "aligned").mkdir()
    (tmp_path / "aligned").rename(images / "aligned" / "aligned")
    assert levels(read("rafdb", folder)) == [72]


def test_rafdb_as_folders(tmp_path: Path) -> None:
    expected = ["surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"]
    for label in range(1, 8):
        trees.save(tmp_path / "DATASET" / "test" / str(label) / f"test_{label}.jpg")
    assert labels(read("rafdb", tmp_path)) == expected
    for word in ("fear", "7_Neutral", "contempt"):
        trees.save(tmp_path / "words" / "test" / word / "x.jpg")
    words = read("rafdb", tmp_path / "words")
    assert (labels(words), words.notes) == (["neutral", "fear"], ["left out: contempt (1)"])
    trees.save(tmp_path / "DATASET" / "test" / "8" / "x.jpg")
    with pytest.raises(DataError, match="expected a label 1 to 7, not 8"):
        read("rafdb", tmp_path)


@pytest.mark.parametrize("header", [True, False])
def test_ised_labels_are_in_the_details(tmp_path: Path, header: bool) -> None:
    faces = read("ised", trees.ised(tmp_path, header=header))
    assert labels(faces) == ["happy", "surprise", "sad", "disgust", "disgust"]
    assert levels(faces) == [80, 81, 82, 83, 84]


def test_ised_as_folders(tmp_path: Path) -> None:
    trees.save(tmp_path / "Sadness" / "1_2_3.jpg")
    assert labels(read("ised", tmp_path)) == ["sad"]
    with pytest.raises(DataError, match=r"should hold ISED_details\.mat and the folder peakImages"):
        read("ised", tmp_path / "Sadness")


def test_300w_counts_pixels_from_one(tmp_path: Path) -> None:
    trees.save(tmp_path / "a" / "indoor_001.png")
    trees.pts(tmp_path / "a" / "indoor_001.pts", trees.landmarks() + 1)
    faces = read("300-W", tmp_path)
    assert labels(faces) == [None]
    np.testing.assert_allclose(faces.samples[0].landmarks, trees.landmarks(), atol=1e-4)
    trees.pts(tmp_path / "b.pts", trees.landmarks())
    with pytest.raises(DataError, match=r"b\.pts has no image of its name"):
        read("300w", tmp_path)
    trees.pts(tmp_path / "b.pts", trees.landmarks()[:5])
    trees.save(tmp_path / "b.jpg")
    with pytest.raises(DataError, match=r"b\.pts should hold 68 points"):
        read("300w", tmp_path)


def test_class_folders_may_be_named_by_synonyms(tmp_path: Path) -> None:
    words = ("Happiness", "JOY", "angry", "Anger", "scared", "afraid", "fear", "Surprised")
    words += ("sadness", "disgusted", "Neutral", "6_happy")
    meant = ("happy", "happy", "anger", "anger", "fear", "fear", "fear", "surprise")
    meant += ("sad", "disgust", "neutral", "happy")
    for word in (*words, "Contempt"):
        trees.save(tmp_path / word / "1.png")
    faces = read("folder", tmp_path)
    assert dict(zip((r.name for r in faces.samples), labels(faces), strict=True)) == {
        f"{word}/1.png": emotion for word, emotion in zip(words, meant, strict=True)
    }
    assert faces.notes == ["left out: Contempt (1)"]


@pytest.mark.parametrize(("size", "cropped"), [((100, 128), True), ((490, 640), False)])
def test_small_images_count_as_cropped_to_the_face(
    tmp_path: Path, size: tuple[int, int], cropped: bool
) -> None:
    for number in range(3):
        trees.save(tmp_path / "happy" / f"{number}.png", 100, size)
    assert read("folder", tmp_path).cropped == cropped


def test_an_unknown_class_folder_is_named(tmp_path: Path) -> None:
    trees.save(tmp_path / "happy" / "1.png")
    trees.save(tmp_path / "grumpy" / "1.png")
    with pytest.raises(DataError, match="the folder 'grumpy' is none of afraid, anger, angry"):
        read("folder", tmp_path)
    with pytest.raises(DataError, match="there is no such folder"):
        read("folder", tmp_path / "nowhere")


def test_class_folders_one_level_down_are_pointed_out(tmp_path: Path) -> None:
    for part in ("train", "test"):
        trees.save(tmp_path / part / "happy" / "1.png")
    with pytest.raises(DataError, match=r"'test' is none of .*: give the path of one part, such"):
        read("folder", tmp_path)
    assert labels(read("folder", tmp_path / "test")) == ["happy"]


def test_kdef_from_an_archive_has_person_and_sex(tmp_path: Path) -> None:
    faces = read("kdef", trees.kdef_archive(tmp_path / "kdef"))
    assert labels(faces) == ["anger", "happy", "neutral"]
    assert levels(faces) == pytest.approx([0, 10, 20], abs=1)
    assert [record.attributes for record in faces.samples] == [
        {"person": "F01", "sex": "female"},
        {"person": "F01", "sex": "female"},
        {"person": "M02", "sex": "male"},
    ]
    with pytest.raises(DataError, match="holds the frontal view alone; ask for views S"):
        read("kdef", tmp_path / "kdef", views="HL")


def test_london_has_attributes_and_the_template_points_of_the_68(tmp_path: Path) -> None:
    faces = read("london", trees.london(tmp_path / "london"))
    assert labels(faces) == ["neutral", "happy", "neutral", "happy"]
    first, second, third, _ = faces.samples
    assert first.attributes == {"person": "001", "sex": "female", "age": "24", "ethnicity": "white"}
    assert third.attributes == {"person": "002", "sex": "male", "ethnicity": "east asian"}
    points = first.sparse_landmarks
    np.testing.assert_array_equal(points[8], [2 * 129 - 0.5, 2 * 129 + 0.5])  # the chin
    assert np.isnan(points).all(axis=1).sum() == 68 - 14
    assert second.sparse_landmarks is None
    assert first.landmarks is None


def test_a_label_file_with_an_unknown_emotion_is_named(tmp_path: Path) -> None:
    folder = trees.london(tmp_path / "london")
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("happy", "smirk"))
    with pytest.raises(DataError, match=r"labels\.csv has the emotion 'smirk'; use neutral, happy"):
        read("london", folder)


def test_ytf68_is_split_by_person(tmp_path: Path) -> None:
    folder = trees.ytf68(tmp_path / "ytf68")
    train, held_out = read("ytf68", folder, training=True), read("ytf68", folder)
    assert len(read("ytf68", folder, part="all")) == len(train) + len(held_out) == 60
    people = [{r.attributes["person"] for r in faces.samples} for faces in (train, held_out)]
    assert not people[0] & people[1]
    assert all(people)
    assert train.pseudo_landmarks
    assert labels(train)[0] is None
    np.testing.assert_allclose(train.samples[0].landmarks, trees.landmarks() - 1.0)


@pytest.mark.parametrize(
    ("layout", "path", "refused"),
    [
        ("london", "anywhere", True),
        ("kdef", "anywhere", True),
        ("folder", "sets/KDEF", True),
        ("folder", "london", True),
        ("folder", "anywhere", False),
        ("fer2013", "fer2013", False),
    ],
)
def test_sets_for_validation_only(layout: str, path: str, refused: bool) -> None:
    assert is_validation_only(layout, Path(path)) == refused


def test_muxspace_leaves_contempt_without_a_label(tmp_path: Path) -> None:
    faces = read("muxspace", trees.muxspace(tmp_path / "m"))
    assert labels(faces) == ["disgust", None]
    np.testing.assert_allclose(faces.samples[0].landmarks, trees.landmarks() - 0.5, atol=0.02)


def test_one_photograph_is_on_one_side_of_the_split() -> None:
    names = [f"afw_{i}" for i in range(500)]
    for name in names:
        assert is_held_out(f"{name}_1.jpg") == is_held_out(f"{name}_2.jpg")
    share = np.mean([is_held_out(f"{name}_1.jpg") for name in names])
    assert 0.06 < share < 0.14
