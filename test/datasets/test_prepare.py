"""Conversion of published sets: small made-up originals in, the documented layout out."""

from __future__ import annotations

from pathlib import Path

import cv2
import made_up_sets as trees
import numpy as np
import pytest

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, read
from edan_ros.datasets.prepare import (
    PREPARE,
    prepare_landmarks68,
    prepare_muxspace,
    prepare_ytf68,
)

#: A bright dot on a dark image: its pixel, and size of the image.
DOT, SIZE = (400, 300), (600, 832)


def dotted(colour: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    pixels = np.zeros((*SIZE, 3), np.uint8)
    cv2.circle(pixels, DOT, 12, colour, -1)
    return pixels


def landmarks_at(x: float, y: float) -> np.ndarray:
    """68 points in a small circle, whose mean is a point."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.column_stack([x + 9 * np.cos(angles), y + 9 * np.sin(angles)])


def dot_of(pixels: np.ndarray) -> np.ndarray:
    """Centre of the bright pixels, x and y."""
    grey = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    y, x = np.nonzero(grey > 128)
    return np.array([x.mean(), y.mean()])


def labels(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "labels.npz") as values:
        return dict(values)


class TestLandmarks68:
    @pytest.fixture
    def originals(self, tmp_path: Path) -> Path:
        for name in ("helen/trainset/12_1", "afw/34_1", "lfpw/trainset/image_0001"):
            file = tmp_path / "300w" / f"{name}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(file), dotted())
            trees.pts(file.with_suffix(".pts"), landmarks_at(*DOT) + 1)
        return tmp_path / "300w"

    def test_images_shrink_with_their_landmarks(self, originals: Path, tmp_path: Path) -> None:
        made = prepare_landmarks68(originals, tmp_path / "set")
        assert (made.images, made.notes) == (3, [])
        faces = read("landmarks68", tmp_path / "set", part="all")
        assert [sample.name for sample in faces.samples] == [
            *("afw_34_1.jpg", "helen_12_1.jpg", "lfpw_image_0001_1.jpg")
        ]
        for sample in faces.samples:
            pixels = sample.read()
            assert pixels.shape == (300, 416, 3)
            np.testing.assert_allclose(sample.landmarks.mean(axis=0), dot_of(pixels), atol=0.1)

    def test_labels_have_the_documented_form(self, originals: Path, tmp_path: Path) -> None:
        prepare_landmarks68(originals, tmp_path / "set")
        values = labels(tmp_path / "set")
        assert set(values) == {"name", "landmarks"}
        assert values["landmarks"].shape == (3, 68, 2)
        assert values["landmarks"].dtype == np.float32

    def test_test_sets_are_left_out(self, originals: Path, tmp_path: Path) -> None:
        (originals / "helen" / "trainset").rename(originals / "helen" / "testset")
        made = prepare_landmarks68(originals, tmp_path / "set")
        assert made.images == 2
        assert made.notes == ["left out: images of test sets (1)"]

    def test_an_image_that_is_missing_leaves_nothing_behind(
        self, originals: Path, tmp_path: Path
    ) -> None:
        (originals / "helen" / "trainset" / "12_1.jpg").unlink()
        with pytest.raises(DataError, match=r"12_1\.pts has no image of its name"):
            prepare_landmarks68(originals, tmp_path / "set")
        assert list((tmp_path / "set").iterdir()) == []


class TestMuxspace:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        rows = ["user.id,image,emotion", "628,a.jpg,HAPPINESS", "629,b.png,contempt"]
        rows += ["630,lost.jpg,anger", "631,c.jpg,Neutral", "632,a.jpg,happiness"]
        trees.write(tmp_path / "mux" / "data" / "legend.csv", "\n".join(rows) + "\n")
        for number, name in enumerate(("a.jpg", "b.png", "c.jpg")):
            trees.save(tmp_path / "mux" / "images" / name, 50 + 50 * number, (120, 256))
        return tmp_path / "mux"

    def test_images_and_labels_follow_the_legend(self, repository: Path, tmp_path: Path) -> None:
        made = prepare_muxspace(repository, tmp_path / "set")
        assert (made.images, made.notes) == (3, ["left out: unreadable (1)"])
        faces = read("muxspace", tmp_path / "set")
        found = [
            (s.name, None if s.emotion is None else EMOTIONS[s.emotion]) for s in faces.samples
        ]
        assert found == [("00000.jpg", "happy"), ("00001.jpg", None), ("00002.jpg", "neutral")]
        assert faces.samples[0].read().shape == (60, 128)
        assert all(sample.landmarks is None for sample in faces.samples)
        values = labels(tmp_path / "set")
        assert (values["emotion"].dtype, values["emotion"].tolist()) == (np.uint8, [1, 7, 0])

    def test_landmarks_come_from_a_model(self, repository: Path, tmp_path: Path) -> None:
        def find(image: Image) -> np.ndarray | None:
            return trees.landmarks() if image.pixels.mean() < 120 else None

        prepare_muxspace(repository, tmp_path / "set", find_landmarks=find)
        found = [sample.landmarks for sample in read("muxspace", tmp_path / "set").samples]
        assert [points is None for points in found] == [False, False, True]
        np.testing.assert_allclose(found[0], trees.landmarks(), atol=0.02)

    def test_an_unknown_emotion_is_named(self, repository: Path, tmp_path: Path) -> None:
        file = repository / "data" / "legend.csv"
        file.write_text(file.read_text().replace("Neutral", "bored"))
        with pytest.raises(DataError, match=r"legend\.csv: there is no emotion 'bored'"):
            prepare_muxspace(repository, tmp_path / "set")


class TestYtf68:
    @pytest.fixture
    def videos(self, tmp_path: Path) -> Path:
        folder = tmp_path / "videos"
        folder.mkdir()
        frames = np.stack([dotted((200, 20, 20))] * 5, axis=-1)  # red, of RGB
        points = np.stack([landmarks_at(*DOT) + 1] * 5, axis=-1)
        for name in ("Ann_Lee_0", "Ann_Lee_2", "Bob_1"):
            np.savez(folder / f"{name}.npz", colorImages=frames, landmarks2D=points)
        return folder

    def test_frames_are_named_by_person_video_and_number(
        self, videos: Path, tmp_path: Path
    ) -> None:
        assert prepare_ytf68(videos, tmp_path / "set", frames=2).images == 6
        faces = read("ytf68", tmp_path / "set", part="all")
        assert [sample.name for sample in faces.samples] == [
            *("Ann_Lee_00.jpg", "Ann_Lee_01.jpg", "Ann_Lee_20.jpg", "Ann_Lee_21.jpg"),
            *("Bob_10.jpg", "Bob_11.jpg"),
        ]
        assert {sample.attributes["person"] for sample in faces.samples} == {"Ann_Lee", "Bob"}

    def test_frames_shrink_with_their_landmarks(self, videos: Path, tmp_path: Path) -> None:
        prepare_ytf68(videos, tmp_path / "set")
        sample = read("ytf68", tmp_path / "set", part="all").samples[0]
        pixels = sample.read()
        assert pixels.shape == (208, 288, 3)
        assert pixels[..., 2].max() > 150 > 60 > pixels[..., 0].max()
        np.testing.assert_allclose(sample.landmarks.mean(axis=0), dot_of(pixels), atol=0.15)

    def test_a_video_without_landmarks_is_named(self, videos: Path, tmp_path: Path) -> None:
        np.savez(videos / "Cid_0.npz", colorImages=np.zeros((4, 4, 3, 1), np.uint8))
        with pytest.raises(DataError, match=r"Cid_0\.npz should hold colorImages and landmarks2D"):
            prepare_ytf68(videos, tmp_path / "set")


@pytest.mark.parametrize("name", PREPARE)
def test_folders_without_originals_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=f"{tmp_path / 'empty'} should hold "):
        PREPARE[name](tmp_path / "empty", tmp_path / "set")


@pytest.mark.parametrize("name", PREPARE)
@pytest.mark.parametrize("file", ["images.zip", "labels.npz"])
def test_a_set_is_never_replaced(name: str, file: str, tmp_path: Path) -> None:
    for word in ("images", "a"):
        trees.save(tmp_path / "from" / word / "x.jpg")
    trees.write(tmp_path / "from" / "legend.csv", "image,emotion\nx.jpg,anger\n")
    trees.write(tmp_path / "to" / file, "mine")
    with pytest.raises(DataError, match=f"already holds {file}; give another folder"):
        PREPARE[name](tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / file).read_text() == "mine"


def test_the_archive_depends_on_the_originals_alone(tmp_path: Path) -> None:
    trees.pts_folder(tmp_path / "from")
    for name in ("a", "b"):
        prepare_landmarks68(tmp_path / "from", tmp_path / name)
    first, second = ((tmp_path / name / "images.zip").read_bytes() for name in ("a", "b"))
    assert first == second
