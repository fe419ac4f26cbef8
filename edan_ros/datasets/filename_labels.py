"""Posed sets whose file names carry the labels: JAFFE, KDEF and FERG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edan_ros.datasets import labels as maps
from edan_ros.datasets.archives import read_kdef_archive
from edan_ros.datasets.face_set import (
    FaceSample,
    FaceSet,
    check_choice,
    left_out_notes,
    require_samples,
)
from edan_ros.datasets.files import DataError, from_file, images_below
from edan_ros.datasets.folder import has_classes, read_folder

_JAFFE = re.compile(
    rf"(?P<person>[A-Z]{{2}})[._-](?P<emotion>{'|'.join(maps.JAFFE)})\d*[._-]\d+(\.TIFF?)?"
)
_KDEF = re.compile(
    rf"[AB](?P<person>[FM]\d{{2}})(?P<emotion>{'|'.join(maps.KDEF)})(?P<view>FL|FR|HL|HR|S)"
)
_FERG = re.compile(rf"(?P<person>[A-Z]+)_(?P<emotion>{'|'.join(maps.SYNONYMS).upper()})_\d+")
#: KDEF's five cameras: frontal, half profiles, full profiles.
KDEF_VIEWS = ("S", "HL", "HR", "FL", "FR")


def read_jaffe(path: Path) -> FaceSet:
    """Read JAFFE (Lyons et al. 1998): files such as ``KA.AN1.39.tiff`` at any depth.

    Converted copies (``KA.AN1.39.tiff.jpg``) and images sorted into one folder per emotion are
    read too.
    """
    return _read_named(path, _JAFFE, maps.JAFFE, "images named like KA.AN1.39.tiff")


def read_kdef(path: Path, *, views: str | Sequence[str] = "S") -> FaceSet:
    """Read KDEF (Lundqvist et al. 1998). Validation only.

    Either the owners' files such as ``AF01/AF01ANS.JPG``, or ``images.zip`` with ``labels.csv``,
    which holds the frontal view alone. Attributes: person (the same in both sessions) and sex.

    views: some of KDEF_VIEWS, as a list or joined by /; frontal by default.
    """
    wanted = [
        check_choice(view, "views", KDEF_VIEWS)
        for view in (views.split("/") if isinstance(views, str) else views)
    ]
    if (path / "images.zip").is_file():
        if "S" not in wanted:
            raise DataError(f"{path} holds the frontal view alone; ask for views S")
        return read_kdef_archive(path)
    expected = f"images named like AF01AN{wanted[0]}.JPG, or images.zip with labels.csv"
    faces = _read_named(path, _KDEF, maps.KDEF, expected, wanted)
    faces.about = f"views {', '.join(wanted)}"
    for sample in faces.samples:
        person = sample.attributes.get("person")
        if person is not None:
            sample.attributes["sex"] = "female" if person.startswith("F") else "male"
    return faces


def read_ferg(path: Path) -> FaceSet:
    """Read FERG (Aneja et al. 2016), drawn characters: ``aia/aia_anger/aia_anger_1.png``."""
    expected = "images named like aia/aia_anger/aia_anger_1.png"
    codes = {word.upper(): emotion for word, emotion in maps.SYNONYMS.items()}
    faces = _read_named(path, _FERG, codes, expected)
    faces.cropped = True
    return faces


def _read_named(
    path: Path,
    pattern: re.Pattern[str],
    emotions: dict[str, int],
    expected: str,
    views: Sequence[str] = (),
) -> FaceSet:
    """Read the images whose upper-case names without ending match ``pattern``.

    The pattern's groups are ``person``, ``emotion`` (a key of ``emotions``) and, of a set with
    several ``views``, ``view``. Without a match anywhere, read one folder per emotion.
    """
    if not path.is_dir():
        raise DataError(f"{path} should be a folder with {expected}; it is none")
    samples, left_out = [], Counter[str]()
    for file in images_below(path):
        match = pattern.fullmatch(file.stem.upper())
        if match is None:
            left_out["images with other names"] += 1
        elif views and match["view"] not in views:
            left_out["other views"] += 1
        else:
            name, emotion = str(file.relative_to(path)), emotions[match["emotion"]]
            attributes = {"person": match["person"]}
            samples.append(FaceSample(name, from_file(file), emotion, attributes=attributes))
    if not samples and has_classes(path):
        return read_folder(path)
    notes = left_out_notes(dict(sorted(left_out.items())))
    return FaceSet("all", require_samples(samples, path, expected), notes=notes)
