"""Recordings of folders and manifests, and their identities."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edan_ros.fleet.recordings import FleetRecording, find_recordings
from edan_ros.sources import SourceError

OUT = Path("out")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a video, a folder of two images, a bag, and what is none of these."""
    for name in ("day1/a.mp4", "photos/1.jpg", "photos/2.jpg", "run1/metadata.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(source: Path, leave_out: Path = OUT) -> list[str]:
    root = source if source.is_dir() else source.parent
    return [str(found.path.relative_to(root)) for found in find_recordings(source, leave_out)[0]]


def test_videos_bags_and_folders_of_images_are_found_in_all_folders(folder: Path) -> None:
    assert names(folder) == ["day1/a.mp4", "photos", "run1"]
    _, notes = find_recordings(folder, OUT)
    assert any("notes.txt" in note for note in notes)


def test_the_folder_of_the_results_holds_no_recordings(folder: Path) -> None:
    assert names(folder, leave_out=folder / "photos") == ["day1/a.mp4", "run1"]


def test_a_manifest_lists_paths_from_its_own_folder_on(folder: Path) -> None:
    manifest = folder / "list.txt"
    manifest.write_text("# two days\n\nday1/a.mp4\n photos \n./day1/../day1/a.mp4\nmissing.mp4\n")
    assert names(manifest) == ["day1/a.mp4", "photos", "missing.mp4"]


def test_a_folder_in_a_manifest_is_searched(folder: Path) -> None:
    (folder / "list.txt").write_text("day1\n")
    assert names(folder / "list.txt") == ["day1/a.mp4"]


def test_a_table_names_the_topics_of_bags(folder: Path) -> None:
    (folder / "list.csv").write_text("robot,path,topic\nr2,run1,/front\nr2,run1,/rear\nr1,day1,\n")
    found, _ = find_recordings(folder / "list.csv", OUT)
    assert [(item.path.name, item.topic) for item in found] == [
        ("run1", "/front"),
        ("run1", "/rear"),
        ("a.mp4", ""),
    ]
    assert len({item.key for item in found}) == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "file\na.mp4\n", "no column 'path'"),
        ("list.txt", "# nothing\n", "names no recording"),
        ("list.txt", None, "there is no"),
    ],
)
def test_a_manifest_without_recordings_is_refused(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=message):
        find_recordings(tmp_path / name, OUT)


def test_an_identity_changes_with_any_file_and_with_the_settings(folder: Path) -> None:
    bag, photos = FleetRecording(folder / "run1"), FleetRecording(folder / "photos")
    before = {bag.identity({}), bag.identity({"max_faces": 2}), photos.identity({})}
    assert len(before) == 3
    assert bag.identity({}) in before
    (folder / "run1" / "run1_1.mcap").write_text("more")
    os.utime(folder / "photos" / "2.jpg", ns=(1, 1))
    assert before.isdisjoint({bag.identity({}), photos.identity({})})


def test_an_identity_changes_when_a_missing_file_appears(tmp_path: Path) -> None:
    recording = FleetRecording(tmp_path / "a.mp4")
    before = recording.identity({})
    recording.path.touch()
    assert recording.identity({}) != before


def test_keys_are_names_of_files_whatever_the_path_is() -> None:
    names = ["/a/b.mp4", "/c/b.mp4", f"/{'x' * 250}.mp4", os.fsdecode(b"/caf\xe9/\xe9 1.mp4"), "/"]
    keys = [FleetRecording(Path(name)).key for name in names]
    assert len(set(keys)) == len(keys)
    assert all(len(key) < 100 and key.isascii() and "/" not in key for key in keys)


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "list.txt"
    manifest.write_bytes("one.mp4\n".encode("utf-16"))
    with pytest.raises(SourceError, match="no text in UTF-8"):
        find_recordings(manifest, tmp_path / "out")


def test_a_name_that_begins_with_a_tilde_is_no_user(tmp_path: Path) -> None:
    manifest = tmp_path / "list.txt"
    manifest.write_text("~no-such-user.mp4\n")
    found, _ = find_recordings(manifest, tmp_path / "out")
    assert [each.path for each in found] == [(tmp_path / "~no-such-user.mp4").resolve()]
