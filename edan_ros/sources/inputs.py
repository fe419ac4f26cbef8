"""Find the inputs that a user names: any number of files, folders, globs, bags and cameras."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edan_ros.sources.bag import is_bag
from edan_ros.sources.base import Frame, Source, SourceError
from edan_ros.sources.image_files import is_image_file, matching, natural_key

#: Suffixes, in lower case, of the files in folders that are read as videos; those of animations,
#: which may hold one image, are the last.
_ANIMATIONS = (".avif", ".gif")
VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
    *_ANIMATIONS,
)
#: Most names of a kind that a note lists.
_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class Input:
    """One image file or recording.

    Attributes:
        text: what names it for ``create_source``.
        name: for messages; of a file in a folder with the subfolder.
        path: of the file or bag; None for cameras and the built-in scene.
        is_image: whether it has the suffix of an image file.
        is_named: whether the user named it itself, not a folder or a glob.
    """

    text: str
    name: str
    path: Path | None = None
    is_image: bool = False
    is_named: bool = True


def find_inputs(
    texts: Sequence[str], *, recursive: bool = False, leave_out: Path | None = None
) -> tuple[list[Input], list[str]]:
    """Return the inputs that texts name, and notes on what is left out.

    Args:
        texts: files, folders, globs, bags, numbers of webcams and "demo".
        recursive: whether to look into subfolders.
        leave_out: folder whose content is no input: that of the results.

    Raises:
        SourceError: if a text names nothing that exists, or nothing is left.
    """
    finder = _Finder(recursive, None if leave_out is None else leave_out.resolve())
    for text in texts:
        finder.add(text)
    if not finder.found:
        raise SourceError("; ".join([f"{', '.join(texts)}: no image, video or bag", *finder.notes]))
    return finder.found, finder.notes


def single_image(source: Source) -> Frame | None:
    """Return the only frame of a source; None where it has more."""
    frames = source.frames()
    try:
        first = list(islice(frames, 2))
    finally:
        frames.close()
    return first[0] if len(first) == 1 else None


def may_be_single(item: Input) -> bool:
    """Return whether an input is of a format for images and for animations."""
    return item.path is not None and item.path.suffix.lower() in _ANIMATIONS


class _Finder:
    def __init__(self, recursive: bool, leave_out: Path | None) -> None:
        self.found: list[Input] = []
        self.notes: list[str] = []
        self._recursive, self._leave_out = recursive, leave_out

    def add(self, text: str) -> None:
        path = Path(text).expanduser()
        try:
            if text and path.is_dir() and not is_bag(path):
                self._add_folder(path)
            elif text and path.exists():
                self.found.append(_input(path, path.name, is_named=True))
            elif glob.has_magic(text):
                self._add_matches(text, path)
            else:  # a camera, the built-in scene, or nothing: create_source says
                self.found.append(Input(text, text))
        except OSError as error:
            raise SourceError(f"{text} cannot be read: {error.strerror}") from error

    def _add_matches(self, text: str, pattern: Path) -> None:
        matches = matching(str(pattern))
        if not matches:
            raise SourceError(f"nothing matches {text}")
        self._add_files(matches, lambda path: path.name)

    def _add_folder(self, folder: Path) -> None:
        files = sorted(self._files(folder), key=natural_key)
        self._add_files(files, lambda path: str(path.relative_to(folder)))

    def _files(self, folder: Path) -> Iterator[Path]:
        """Yield the files and bags in a folder, and with ``recursive`` in those below it."""
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            is_folder = path.is_dir() and not is_bag(path)
            if is_folder and self._recursive and path.resolve() != self._leave_out:
                yield from self._files(path)
            else:
                yield path

    def _add_files(self, paths: Iterable[Path], name_of: Callable[[Path], str]) -> None:
        folders, others = [], []
        for path in paths:
            suffix, name = path.suffix.lower(), name_of(path)
            if path.is_dir() and not is_bag(path):
                if path.resolve() != self._leave_out:
                    folders.append(name)
            elif self._leave_out is not None and self._leave_out in path.resolve().parents:
                continue
            elif is_image_file(path) or suffix in VIDEO_SUFFIXES or is_bag(path):
                self.found.append(_input(path, name, is_named=False))
            else:
                others.append(name)
        if folders:
            self.notes.append(f"left out, give -r for folders inside: {_listed(folders)}")
        if others:
            self.notes.append(f"left out, neither image nor video: {_listed(others)}")


def _input(path: Path, name: str, *, is_named: bool) -> Input:
    return Input(str(path), name, path, is_image_file(path), is_named)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
