"""The recordings of a fleet: found in folders or listed in a manifest, each with its identity."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edan_ros.core.wording import printable
from edan_ros.sources import SourceError
from edan_ros.sources.bag import is_bag
from edan_ros.sources.image_files import is_image_file
from edan_ros.sources.inputs import find_inputs

#: Longest part of a recording's name in the names of its files.
_MAX_STEM = 60


@dataclass(frozen=True, slots=True)
class FleetRecording:
    """One bag, video or folder of images.

    Attributes:
        path: absolute, without links, so that one recording has one name.
        topic: image topic of a bag; "" for all that hold images of their own.
    """

    path: Path
    topic: str = ""

    @property
    def name(self) -> str:
        """The path as valid Unicode."""
        return printable(str(self.path))

    @property
    def key(self) -> str:
        """Name of its files in the output folder: readable, and unique among all recordings."""
        stem = re.sub(r"[^\w.-]", "_", printable(self.path.stem), flags=re.ASCII)[:_MAX_STEM]
        whole = f"{self.path}\n{self.topic}".encode("utf-8", "surrogateescape")
        return f"{stem}-{hashlib.sha256(whole).hexdigest()[:10]}"

    @property
    def is_still(self) -> bool:
        """Whether these are image files, which do not follow one another in time."""
        return is_image_file(self.path) or (self.path.is_dir() and not is_bag(self.path))

    def identity(self, settings: Any) -> str:
        """Return a hash of name, size and time of all its files, and of the settings.

        A file that cannot be read counts as missing: the identity changes when it can be.
        """
        try:
            files = [self.path] if not self.path.is_dir() else sorted(self.path.iterdir())
            if self.is_still:
                files = [path for path in files if is_image_file(path)]
            stats = [(path.name, path.stat()) for path in files]
        except OSError:
            stats = []
        content = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        text = json.dumps([content, settings], sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def find_recordings(source: Path, leave_out: Path) -> tuple[list[FleetRecording], list[str]]:
    """Return the recordings of a folder or a manifest, each once, and notes on what is left out.

    Folders are searched with all subfolders; the images of one folder are one recording.

    Args:
        source: a folder; a text file with one path in a line, where lines that begin with # are
            comments; or a CSV file with a column ``path`` and, if needed, ``topic``. Relative
            paths start at the folder of the manifest. A path may name a folder of recordings.
        leave_out: folder whose content is no recording: that of the results.

    Raises:
        SourceError: if there is no such file or folder, or it names no recording.
    """
    if not source.exists():
        raise SourceError(f"there is no {source}: give a folder of recordings, or a manifest")
    listed = [(source, "")] if source.is_dir() else list(_read_manifest(source))
    if not listed:
        raise SourceError(f"{source} names no recording: write one path in a line")
    notes: list[str] = []
    found: dict[FleetRecording, None] = {}
    for path, topic in listed:
        if path.is_dir() and not is_bag(path):
            inputs, left_out = find_inputs([str(path)], recursive=True, leave_out=leave_out)
            notes += left_out
            paths: Iterable[Path] = [
                item.path.parent if item.is_image else item.path for item in inputs if item.path
            ]
        else:
            paths = [path]
        found |= dict.fromkeys(FleetRecording(path.resolve(), topic) for path in paths)
    return list(found), notes


def _read_manifest(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield path and topic of each line."""
    try:
        content = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if "\0" in content:  # a recording, or UTF-16
        raise SourceError(f"{path} is no text in UTF-8: write one path in a line")
    lines = content.splitlines()
    if path.suffix.lower() != ".csv":
        rows: Iterable[dict[str, str]] = [{"path": line.strip()} for line in lines]
    else:
        table = csv.DictReader(lines)
        if "path" not in (table.fieldnames or ()):
            raise SourceError(f"{path} has no column 'path': name it in the first line")
        rows = table
    for row in rows:
        text = (row["path"] or "").strip()
        if text and not text.startswith("#"):
            # Unlike Path.expanduser, this takes a name such as ~old.mp4 as it is.
            yield path.parent / os.path.expanduser(text), (row.get("topic") or "").strip()
