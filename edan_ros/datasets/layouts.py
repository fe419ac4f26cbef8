"""The layouts by name, and how the command line and configurations ask for them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edan_ros.datasets.affectnet import read_affectnet
from edan_ros.datasets.archives import (
    read_landmarks68,
    read_london,
    read_muxspace,
    read_ytf68,
)
from edan_ros.datasets.ckplus import read_ckplus
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSet
from edan_ros.datasets.fer2013 import read_fer2013
from edan_ros.datasets.filename_labels import read_ferg, read_jaffe, read_kdef
from edan_ros.datasets.files import is_hidden, list_content
from edan_ros.datasets.folder import read_folder
from edan_ros.datasets.ised import read_ised
from edan_ros.datasets.pts_files import read_points
from edan_ros.datasets.rafdb import read_rafdb


@dataclass(frozen=True)
class Layout:
    """How a data set lies on disk.

    Attributes:
        read: its reader.
        train: the part to train on unless another is given; empty for a set of one part.
        test: the part to evaluate on, likewise.
        validation_only: the set is never trained on.
    """

    read: Callable[..., FaceSet]
    train: str = ""
    test: str = ""
    validation_only: bool = False

    @property
    def options(self) -> list[str]:
        """Names of the reader's options."""
        return [name for name in inspect.signature(self.read).parameters if name != "path"]


LAYOUTS: dict[str, Layout] = {
    "affectnet": Layout(read_affectnet, "train", "test"),
    "ckplus": Layout(read_ckplus),
    "fer2013": Layout(read_fer2013, "train", "public_test"),
    "ferg": Layout(read_ferg),
    "folder": Layout(read_folder),
    "300w": Layout(read_points),
    "ised": Layout(read_ised),
    "jaffe": Layout(read_jaffe),
    "kdef": Layout(read_kdef, validation_only=True),
    "landmarks68": Layout(read_landmarks68, "train", "held_out"),
    "london": Layout(read_london, validation_only=True),
    "muxspace": Layout(read_muxspace),
    "rafdb": Layout(read_rafdb, "train", "test"),
    "ytf68": Layout(read_ytf68, "train", "held_out"),
}
#: The sets that models are compared on. Of FER2013 the public test is read.
VALIDATION_SETS = ("fer2013", "kdef", "london")
#: Endings of files that lie beside a set without being of it: its archive, a note, a cache.
_BESIDE = frozenset({".7z", ".db", ".gz", ".ini", ".md", ".pdf", ".rar", ".tar", ".txt", ".zip"})
#: Names that select a part of FER2013 when a set is called so: a set called private that held
#: anything else would be misread.
_PART_NAMES = {
    "train": "train",
    "public": "public_test",
    "public_test": "public_test",
    "private": "private_test",
    "private_test": "private_test",
}


@dataclass(frozen=True)
class DatasetSpec:
    """A data set that the command line asks for."""

    layout: str
    name: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)


def plain_name(name: str) -> str:
    """A set's name in small letters and digits alone: CK+ is ckplus."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus"))


def layout_of(name: str) -> str:
    """The name in LAYOUTS of a layout written in any common way, such as CK+ or RAF-DB.

    Raises DataError for an unknown one.
    """
    plain = plain_name(name)
    if plain not in LAYOUTS:
        raise DataError(f"there is no layout {name!r}: use one of {', '.join(LAYOUTS)}")
    return plain


def is_validation_only(layout: str, path: Path) -> bool:
    """Return whether a set is never trained on, by its layout or by the name of its folder.

    Raises DataError for an unknown layout.
    """
    folder = LAYOUTS.get(plain_name(path.resolve().name))
    return LAYOUTS[layout_of(layout)].validation_only or (
        folder is not None and folder.validation_only
    )


def validation_sets(folder: Path) -> list[DatasetSpec]:
    """Return the sets of VALIDATION_SETS that a folder of data sets holds.

    Raises DataError if it holds none of them.
    """
    specs = [DatasetSpec(n, n, folder / n) for n in VALIDATION_SETS if (folder / n).is_dir()]
    if not specs:
        raise DataError(
            f"{folder} should be a folder that holds {', '.join(VALIDATION_SETS)} or one of them; "
            f"{list_content(folder)}; write one set as LAYOUT=PATH"
        )
    return specs


def parse_dataset(text: str) -> DatasetSpec:
    """``LAYOUT[:NAME]=PATH[,OPTION=VALUE...]``. Raises DataError when it is written otherwise."""
    head, equals, tail = text.partition("=")
    if not equals or not tail:
        raise DataError(f"{text!r} should be LAYOUT=PATH or LAYOUT:NAME=PATH")
    written, _, name = head.partition(":")
    layout = layout_of(written)
    options: dict[str, Any] = {}
    while match := re.fullmatch(r"(.+),([a-z_]+)=([^,=]+)", tail):
        tail = match[1]
        options[match[2]] = match[3]
    if layout == "fer2013" and name in _PART_NAMES:
        options.setdefault("part", _PART_NAMES[name])
    return DatasetSpec(layout, name or layout, Path(tail), options)


def read(layout: str, path: Path, *, training: bool = False, **options: Any) -> FaceSet:
    """A data set from its folder. ``options`` are those of its reader.

    Without the option ``part`` the part to train on or to test on is read. Raises DataError when
    the folder is not laid out so, or an option is not known.
    """
    how = LAYOUTS[layout_of(layout)]
    unknown = sorted(set(options) - set(how.options))
    if unknown:
        known = f"its options are {', '.join(how.options)}" if how.options else "it has no options"
        raise DataError(f"{layout} has no option {', '.join(unknown)}: {known}")
    part = how.train if training else how.test
    if part:
        options.setdefault("part", part)
    try:
        return _read_here_or_below(how, path, options)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{layout}: an option has a wrong value: {error}") from error


def _read_here_or_below(how: Layout, path: Path, options: dict[str, Any]) -> FaceSet:
    """Archives often unpack into a folder of their own: where a set is not here and there is one
    folder alone, it is looked for in that, unless it is called after another part."""
    try:
        return how.read(path, **options)
    except DataError as error:
        inside = _content(path)
        others = ("test", "val") if options.get("part") == "train" else ("train",)
        if len(inside) != 1 or not inside[0].is_dir():
            raise
        if "part" in options and inside[0].name.lower().startswith(others):
            raise
        try:
            return _read_here_or_below(how, inside[0], options)
        except DataError:
            raise error from None


def _content(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [p for p in path.iterdir() if p.suffix.lower() not in _BESIDE and not is_hidden(p.name)]
