"""Images sorted into one folder per class: ``<root>/happy/*``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edan_ros.datasets import labels as maps
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import DataError, from_file, images_below, is_hidden, list_content

#: Images whose longest side has at most this many pixels count as cropped to the face, and the
#: number of images that are checked.
_SMALL, _CHECKED = 128, 9


def read_folder(path: Path) -> FaceSet:
    """Read folders named after the seven emotions or a synonym, in any case.

    Contempt is left out. Small images count as cropped to the face. Raises DataError for a folder
    of another name, so that no class is lost silently.
    """
    return read_classes(path)


def read_classes(path: Path, numbers: Sequence[int | None] = ()) -> FaceSet:
    """Read as :func:`read_folder`, also from folders named after numbers of classes.

    numbers: emotion of each number; None for a class that is left out.
    """
    expected = "a folder of images for each emotion, such as neutral and happy"
    if not path.is_dir():
        raise DataError(f"{path} should hold {expected}; {list_content(path)}")
    samples: list[FaceSample] = []
    notes = []
    for folder in _folders(path):
        try:
            emotion = _class(folder.name, numbers)
        except KeyError:
            hint = f": give the path of one part, such as {folder}" if has_classes(folder) else ""
            raise DataError(
                f"{path} should hold {expected}; the folder {folder.name!r} is none of "
                f"{', '.join(sorted(maps.SYNONYMS))}{hint}"
            ) from None
        images = images_below(folder)
        if emotion is None:
            notes.append(f"left out: {folder.name} ({len(images)})")
            continue
        samples += [
            FaceSample(str(file.relative_to(path)), from_file(file), emotion) for file in images
        ]
    found = FaceSet("all", require_samples(samples, path, expected), notes=notes)
    found.cropped = all(_is_small(sample) for sample in found.subset(_CHECKED).samples)
    return found


def has_classes(path: Path, numbers: Sequence[int | None] = ()) -> bool:
    """Return whether one folder in ``path`` is named after an emotion, or all after numbers."""
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


def _is_small(sample: FaceSample) -> bool:
    try:
        image = sample.image()
    except DataError:  # counted when the set is used
        return True
    return max(image.width, image.height) <= _SMALL
