"""Pictures sorted into one folder a class: ``<root>/happy/*``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import from_file, images_in, is_hidden

#: Pictures of at most so many pixels a side are taken to be cut to the face; a few are looked at.
_SMALL, _LOOKED_AT = 128, 9


def read_folder(path: Path) -> FaceSet:
    """Folders named after the seven emotions or a synonym, in any case; contempt is left out.

    Where the pictures are small they are taken to be cut to the face.

    Raises DataError for a folder whose name means none of them, so that nothing is lost unseen.
    """
    return read_classes(path)


def read_classes(path: Path, numbers: Sequence[int | None] = ()) -> FaceSet:
    """As :func:`read_folder`. numbers: the emotion of each number that a folder may be called,
    None for a class that is left out."""
    expected = "a folder of images for each emotion, such as neutral and happy"
    if not path.is_dir():
        raise DataError(f"{path} should hold {expected}; it is no folder")
    records: list[FaceSample] = []
    notes = []
    for folder in _folders(path):
        try:
            emotion = _class(folder.name, numbers)
        except KeyError:
            raise DataError(
                f"{path} should hold {expected}; the folder {folder.name!r} is none of "
                f"{', '.join(sorted(maps.SYNONYMS))}{_deeper(path, folder)}"
            ) from None
        pictures = images_in(folder)
        if emotion is None:
            notes.append(f"left out: {folder.name} ({len(pictures)})")
            continue
        records += [
            FaceSample(str(file.relative_to(path)), from_file(file), emotion) for file in pictures
        ]
    found = FaceSet("all", require_samples(records, path, expected), notes=notes)
    found.cropped = all(_is_small(record) for record in found.subset(_LOOKED_AT).samples)
    return found


def has_classes(path: Path, numbers: Sequence[int | None] = ()) -> bool:
    """Whether at least one folder in ``path`` is named after one of the seven emotions, or all
    after the ``numbers`` of classes."""
    names = [p.name for p in _folders(path)] if path.is_dir() else []
    if any(maps.plain_word(name) in maps.SYNONYMS for name in names):
        return True
    return bool(names) and all(_is_number(name, numbers) for name in names)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not is_hidden(p.name))


def _is_number(name: str, numbers: Sequence[int | None]) -> bool:
    return name.isdecimal() and int(name) < len(numbers)


def _class(name: str, numbers: Sequence[int | None]) -> int | None:
    return numbers[int(name)] if _is_number(name, numbers) else maps.emotion_of(name)


def _deeper(path: Path, folder: Path) -> str:
    """What to do where the classes are one level further down, as in train/happy."""
    if not has_classes(folder):
        return ""
    return f": give the path of one part, such as {path / folder.name}"


def _is_small(record: FaceSample) -> bool:
    try:
        image = record.image()
    except DataError:  # it is counted when it is measured
        return True
    return max(image.width, image.height) <= _SMALL
