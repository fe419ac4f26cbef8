"""What every reader of a data set guarantees, whatever its layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_up_sets as trees
import numpy as np
import pytest

from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import LAYOUTS, DataError, FaceSet, read

#: Layout -> made-up sets in each of its forms, and whether they are read for training.
FORMS = {
    "affectnet": [(trees.affectnet_csv, False), (trees.affectnet_npy, True)],
    "ckplus": [(trees.ckplus, False)],
    "fer2013": [(trees.fer2013_npz, False), (trees.fer2013_csv, True)],
    "ferg": [(trees.ferg, False)],
    "folder": [(trees.classes, False)],
    "300w": [(trees.pts_folder, False)],
    "ised": [(trees.ised, False)],
    "jaffe": [(trees.jaffe, False)],
    "kdef": [(trees.kdef, False), (trees.kdef_archive, False)],
    "landmarks68": [(trees.landmarks68, True), (trees.landmarks68, False)],
    "london": [(trees.london, False)],
    "muxspace": [(trees.muxspace, True)],
    "rafdb": [(trees.rafdb, False), (trees.rafdb, True)],
    "ytf68": [(trees.ytf68, True), (trees.ytf68, False)],
}
every_form = pytest.mark.parametrize(
    ("layout", "build", "training"),
    [(layout, *form) for layout, forms in FORMS.items() for form in forms],
)


def summary(faces: FaceSet) -> list[tuple[str, int | None, dict[str, str]]]:
    return [(s.name, s.emotion, s.attributes) for s in faces.samples]


def test_every_layout_is_tested_here() -> None:
    assert set(FORMS) == set(LAYOUTS)


@every_form
def test_samples_are_complete(layout: str, build, training: bool, tmp_path: Path) -> None:
    faces = read(layout, build(tmp_path / "set"), training=training)
    assert faces.about
    faces.check()
    names = [sample.name for sample in faces.samples]
    assert len(set(names)) == len(names) > 0
    for sample in faces.samples:
        pixels = sample.read()
        height, width = pixels.shape[:2]
        assert pixels.dtype == np.uint8
        assert pixels.ndim in (2, 3)
        assert sample.emotion in (None, *range(len(EMOTIONS)))
        total = sample.distribution(0.1).sum()
        assert total == pytest.approx(1.0) or (sample.emotion is None and np.isnan(total))
        for points, count in ((sample.landmarks, 68), (sample.points, 5)):
            if points is not None:
                assert points.shape == (count, 2)
                assert np.isfinite(points).all()
                assert (points >= -0.5).all()
                assert (points <= (width, height)).all()
        assert all(isinstance(value, str) and value for value in sample.attributes.values())


@every_form
def test_reading_again_gives_the_same_order(
    layout: str, build, training: bool, tmp_path: Path
) -> None:
    folder = build(tmp_path / "set")
    first = read(layout, folder, training=training)
    assert summary(read(layout, folder, training=training)) == summary(first)


@every_form
def test_a_set_in_its_only_folder_is_found(
    layout: str, build, training: bool, tmp_path: Path
) -> None:
    expected = summary(read(layout, build(tmp_path / "set"), training=training))
    trees.write(tmp_path / "readme.txt", "unpack here")
    (tmp_path / "__MACOSX").mkdir()
    found = summary(read(layout, tmp_path, training=training))
    # A reader that searches at any depth has the folder in the names.
    assert [(name.removeprefix("set/"), *rest) for name, *rest in found] == expected


@every_form
def test_hidden_files_are_ignored(layout: str, build, training: bool, tmp_path: Path) -> None:
    folder = build(tmp_path / "set")
    expected = summary(read(layout, folder, training=training))
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        trees.write(place / ".DS_Store", "")
        trees.save(place / "._x.png")
    assert summary(read(layout, folder, training=training)) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("content", ["missing", "empty", "unrelated"])
def test_a_folder_of_another_layout_is_named(layout: str, content: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    if content != "missing":
        folder.mkdir()
    if content == "unrelated":
        trees.save(folder / "holiday.jpg")
    with pytest.raises(DataError, match=f"{folder}.* should ") as error:
        read(layout, folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unknown_option_is_named(layout: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{layout} has no option colour: it"):
        read(layout, tmp_path, colour="red")


@pytest.mark.parametrize("layout", [name for name, each in LAYOUTS.items() if each.test])
def test_an_unknown_part_is_refused(layout: str, tmp_path: Path) -> None:
    folder = FORMS[layout][0][0](tmp_path / "set")
    with pytest.raises(DataError, match="part is 'x'; use "):
        read(layout, folder, part="x")


@pytest.mark.parametrize("layout", ["kdef", "london", "landmarks68", "ytf68", "muxspace"])
def test_a_missing_label_file_is_named(layout: str, tmp_path: Path) -> None:
    folder = FORMS[layout][-1][0](tmp_path / "set")
    for file in folder.glob("labels.*"):
        shutil.move(file, tmp_path / file.name)
    with pytest.raises(DataError, match=r"should hold the file labels\.(csv|npz)"):
        read(layout, folder)


@pytest.mark.parametrize("layout", ["fer2013", "landmarks68", "ytf68", "muxspace"])
@pytest.mark.parametrize("damage", ["cut", "column"])
def test_a_damaged_label_file_is_named(layout: str, damage: str, tmp_path: Path) -> None:
    folder = FORMS[layout][0][0](tmp_path / "set")
    if damage == "cut":
        (folder / "labels.npz").write_bytes(b"PK\x03\x04")
    else:
        np.savez(folder / "labels.npz", landmarks=np.zeros((0, 68, 2)))
    with pytest.raises(DataError, match=r"labels\.npz should hold the arrays "):
        read(layout, folder)
