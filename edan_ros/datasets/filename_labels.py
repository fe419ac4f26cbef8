"""Posed sets whose files carry the label in their names: JAFFE, KDEF and FERG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.files import from_file, pictures_in
from edan_ros.datasets.folder import has_classes, read_folder
from edan_ros.datasets.records import FaceSet, Record, choose, some

_JAFFE = re.compile(rf"^[A-Z]{{2}}[._-]({'|'.join(maps.JAFFE)})\d*[._-]\d+(\.TIFF?)?$")
_KDEF = re.compile(
    rf"^[AB](?P<person>[FM]\d{{2}})(?P<emotion>{'|'.join(maps.KDEF)})(?P<view>FL|FR|HL|HR|S)$"
)
_FERG = re.compile(r"^[a-z]+_([a-z]+)_\d+$")
#: KDEF's five cameras: straight, half to either side, full profiles.
KDEF_VIEWS = ("S", "HL", "HR", "FL", "FR")


def read_jaffe(path: Path) -> FaceSet:
    """JAFFE (Lyons et al. 1998): files such as ``KA.AN1.39.tiff``, in folders or not.

    Converted copies (``KA.AN1.39.tiff.jpg``) too, and pictures sorted by emotion whatever they
    are called.
    """

    def emotion(stem: str) -> int | None:
        match = _JAFFE.match(stem.upper())
        return maps.JAFFE[match[1]] if match else None

    return _by_name(path, emotion, "all", "pictures named like KA.AN1.39.tiff")


def read_kdef(path: Path, *, views: str | Sequence[str] = "S") -> FaceSet:
    """KDEF (Lundqvist et al. 1998): files such as ``AF01/AF01ANS.JPG``.

    views: some of KDEF_VIEWS, as a list or joined by /; the frontal one alone by default.
    """
    wanted = [
        choose(view, "views", KDEF_VIEWS)
        for view in (views.split("/") if isinstance(views, str) else views)
    ]

    def emotion(stem: str) -> int | None:
        match = _KDEF.match(stem.upper())
        return maps.KDEF[match[1]] if match and match[2] in wanted else None

    def is_other_view(stem: str) -> bool:
        match = _KDEF.match(stem.upper())
        return match is not None and match[2] not in wanted

    about = f"views {', '.join(wanted)}"
    expected = f"pictures named like AF01AN{wanted[0]}.JPG"
    return _by_name(path, emotion, about, expected, {"other views": is_other_view})


def read_ferg(path: Path) -> FaceSet:
    """FERG (Aneja et al. 2016): ``aia/aia_anger/aia_anger_1.png``, faces of drawn characters."""

    def emotion(stem: str) -> int | None:
        match = _FERG.match(stem.lower())
        return maps.SYNONYMS.get(match[1]) if match else None

    found = _by_name(path, emotion, "all", "pictures named like aia/aia_anger/aia_anger_1.png")
    found.cropped = True
    return found


def _by_name(
    path: Path,
    emotion: Callable[[str], int | None],
    about: str,
    expected: str,
    known: Mapping[str, Callable[[str], bool]] | None = None,
) -> FaceSet:
    """The pictures to whose names ``emotion`` gives a label. known: others, told apart by name.

    Where no picture has such a name, those sorted into a folder for each emotion.
    """
    if not path.is_dir():
        raise DataError(f"{path} should be a folder with {expected}; it is none")
    records, others = [], Counter[str]()
    for file in pictures_in(path):
        label = emotion(file.stem)
        if label is not None:
            records.append(Record(str(file.relative_to(path)), from_file(file), label))
            continue
        kinds = (name for name, test in (known or {}).items() if test(file.stem))
        others[next(kinds, "pictures with other names")] += 1
    if not records and has_classes(path):
        return read_folder(path)
    notes = [f"left out: {what} ({count})" for what, count in others.items()]
    return FaceSet(about, some(records, path, expected), notes=notes)
