"""The layouts by name, and specifications of data sets as text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edan_ros.core.wording import did_you_mean
from edan_ros.datasets.affectnet import read_affectnet
from edan_ros.datasets.archives import (
    read_landmarks68,
    read_london,
    read_muxspace,
    read_ytf68,
)
from edan_ros.datasets.ckplus import read_ckplus
from edan_ros.datasets.face_set import FaceSet
from edan_ros.datasets.fer2013 import read_fer2013
from edan_ros.datasets.filename_labels import read_ferg, read_jaffe, read_kdef
from edan_ros.datasets.files import DataError, is_hidden, list_content
from edan_ros.datasets.folder import read_folder
from edan_ros.datasets.ised import read_ised
from edan_ros.datasets.pts_files import read_pts_folder
from edan_ros.datasets.rafdb import read_rafdb


@dataclass(frozen=True)
class Layout:
    """The layout of a data set on disk.

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
        """Names of the options of the reader."""
        return [name for name in inspect.signature(self.read).parameters if name != "path"]


LAYOUTS: dict[str, Layout] = {
    "affectnet": Layout(read_affectnet, "train", "test"),
    "ckplus": Layout(read_ckplus),
    "fer2013": Layout(read_fer2013, "train", "public_test"),
    "ferg": Layout(read_ferg),
    "folder": Layout(read_folder),
    "300w": Layout(read_pts_folder),
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
#: Suffixes of files beside a set that do not belong to it, such as its archive.
_UNRELATED = frozenset({".7z", ".db", ".gz", ".ini", ".md", ".pdf", ".rar", ".tar", ".txt", ".zip"})
#: Names of a set that select a part of FER2013.
_PART_NAMES = {
    "train": "train",
    "public": "public_test",
    "public_test": "public_test",
    "private": "private_test",
    "private_test": "private_test",
}


@dataclass(frozen=True)
class DatasetSpec:
    """A data set given on the command line.

    Attributes:
        layout: one of LAYOUTS.
        name: in tables and figures.
        path: of the set.
        options: of the layout's reader.
    """

    layout: str
    name: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)


def plain_name(name: str) -> str:
    """Return a name in lower case without punctuation: ckplus for CK+."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus"))


def layout_of(name: str) -> str:
    """Return the key in LAYOUTS of a name in any common spelling, such as CK+ or RAF-DB.

    Raises DataError for an unknown layout.
    """
    plain = plain_name(name)
    if plain not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise DataError(
            f"there is no layout {name!r}: use one of {known}{did_you_mean(plain, LAYOUTS)}"
        )
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
    """Parse ``LAYOUT[:NAME]=PATH[,OPTION=VALUE...]``. Raises DataError for other text."""
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
    """Read a data set.

    Args:
        layout: name of the layout.
        path: folder or file of the set. A set in a single folder inside is found too.
        training: read the part to train on, not the one to evaluate on, where ``part`` is not
            among the options.
        options: of the layout's reader.

    Raises:
        DataError: if the set is not laid out as expected, or an option is unknown or invalid.
    """
    reader = LAYOUTS[layout_of(layout)]
    unknown = sorted(set(options) - set(reader.options))
    if unknown:
        names = ", ".join(reader.options)
        known = f"its options are {names}" if names else "it has no options"
        raise DataError(f"{layout} has no option {', '.join(unknown)}: {known}")
    part = reader.train if training else reader.test
    if part:
        options.setdefault("part", part)
    try:
        return _read_here_or_below(reader, path, options)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{layout}: an option has a wrong value: {error}") from error


def _read_here_or_below(reader: Layout, path: Path, options: dict[str, Any]) -> FaceSet:
    """Read a set from ``path`` or, failing that, from the only folder inside.

    Archives often unpack into such a folder. One that is named after another part is not read.
    """
    try:
        return reader.read(path, **options)
    except DataError as error:
        inside = _content(path)
        others = ("test", "val") if options.get("part") == "train" else ("train",)
        if len(inside) != 1 or not inside[0].is_dir():
            raise
        if "part" in options and inside[0].name.lower().startswith(others):
            raise
        try:
            return _read_here_or_below(reader, inside[0], options)
        except DataError:
            raise error from None


def _content(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [
        p for p in path.iterdir() if p.suffix.lower() not in _UNRELATED and not is_hidden(p.name)
    ]
