"""Pictures sorted into one folder a class: ``<root>/happy/*``."""

from __future__ import annotations

from pathlib import Path

from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.files import from_file, pictures_in
from edan_ros.datasets.records import FaceSet, Record, some

#: Pictures of at most so many pixels a side are taken to be cut to the face; a few are looked at.
_SMALL, _LOOKED_AT = 128, 9


def read_folder(path: Path) -> FaceSet:
    """Folders named after the seven emotions or a synonym, in any case; contempt is left out.

    Where the pictures are small they are taken to be cut to the face.

    Raises DataError for a folder whose name means none of them, so that nothing is lost unseen.
    """
    expected = "a folder of pictures for each emotion, such as neutral and happy"
    if not path.is_dir():
        raise DataError(f"{path} should hold {expected}; it is no folder")
    records: list[Record] = []
    notes = []
    folders = sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] not in "._")
    for folder in folders:
        try:
            emotion = maps.emotion_of(folder.name)
        except KeyError:
            raise DataError(
                f"{path} should hold {expected}; the folder {folder.name!r} is none of "
                f"{', '.join(sorted(maps.SYNONYMS))}{_deeper(path, folder)}"
            ) from None
        pictures = pictures_in(folder)
        if emotion is None:
            notes.append(f"left out: {folder.name} ({len(pictures)})")
            continue
        records += [
            Record(str(file.relative_to(path)), from_file(file), emotion) for file in pictures
        ]
    found = FaceSet("all", some(records, path, expected), notes=notes)
    found.cropped = all(_is_small(record) for record in found.spread(_LOOKED_AT).records)
    return found


def has_classes(path: Path) -> bool:
    """Whether at least one folder in ``path`` is named after one of the seven emotions."""
    names = (p.name for p in path.iterdir() if p.is_dir()) if path.is_dir() else ()
    return any(maps.plain_word(name) in maps.SYNONYMS for name in names)


def _deeper(path: Path, folder: Path) -> str:
    """What to do where the classes are one level further down, as in train/happy."""
    if not has_classes(folder):
        return ""
    return f": give the path of one part, such as {path / folder.name}"


def _is_small(record: Record) -> bool:
    try:
        image = record.image()
    except DataError:  # it is counted when it is measured
        return True
    return max(image.width, image.height) <= _SMALL
