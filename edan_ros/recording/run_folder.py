"""Output folders of all runs: lines of JSON, and a video or images with people hidden."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.files import LOCK_FILE, locked_folder, writing
from edan_ros.recording.run_info import read_run_info

LINES = "faces.jsonl"

Item = TypeVar("Item")
Run = TypeVar("Run", bound="RunFolder[Any]")


def result_line(
    stamp_ns: int | None, latency: float | None, result: FrameResult, file: str = ""
) -> str:
    """Return the result of one image as one line of JSON, without the line's end.

    Args:
        stamp_ns: of the image, nanoseconds, None for an image file; the line has seconds, or null.
        latency: seconds from the publication of the image to the arrival of its result; the line
            has milliseconds, or null.
        file: name of an image file; the line has no such entry without one.

    Returns:
        An object with ``file``, ``stamp``, ``latency_ms`` and ``faces``, each as of
        ``Face.to_dict()``.
    """
    record = {
        **({"file": file} if file else {}),
        "stamp": None if stamp_ns is None else round(stamp_ns * 1e-9, 6),
        "latency_ms": None if latency is None else round(latency * 1e3, 2),
        "faces": [face.to_dict() for face in result.faces],
    }
    return json.dumps(record, separators=(", ", ": "), allow_nan=False)


class RunFolder(ABC, Generic[Item]):
    """A context manager that writes the files of a run.

    The folder is locked from the constructor to the exit. The first result removes the files of
    an earlier run, so that a run without any changes nothing. Leaving completes all files,
    whatever ended the run: a signal that raises an exception loses nothing that was added.

    Args:
        folder: is created where it does not exist.
        names: of all files that the run may leave.
        privacy: hides people before anything is drawn; images that it holds back are drawn later.

    Raises RecordingError where the folder cannot be written or another run writes to it, here or
    later.
    """

    def __init__(self, folder: Path, names: Sequence[str], privacy: PrivacyFilter[Item]) -> None:
        self.folder = folder
        self._names = names
        self._privacy = privacy
        #: Closes what is open.
        self._stack = ExitStack()
        self._stack.enter_context(locked_folder(folder))
        self._lines: TextIO | None = None
        self._is_clear = False

    def __enter__(self: Run) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self.folder), self._stack:
            if self._lines is not None:
                self._draw_all(self._privacy.flush())
                self._finish()

    def clear(self) -> None:
        """Remove what an earlier run wrote, once."""
        if self._is_clear:
            return
        self._is_clear = True
        with writing(self.folder):
            for path in [self.folder / name for name in self._names] + _listed(self.folder):
                path.unlink(missing_ok=True)
                if path.parent != self.folder and not any(path.parent.iterdir()):
                    path.parent.rmdir()

    def files(self) -> list[Path]:
        """Return the files written, none without a result."""
        if self._lines is None:
            return []
        return [path for path in (self.folder / name for name in self._names) if path.exists()]

    def _add_line(
        self, stamp_ns: int | None, latency: float | None, result: FrameResult, name: str = ""
    ) -> None:
        with writing(self.folder / LINES):
            if self._lines is None:
                self.clear()
                lines = (self.folder / LINES).open("w", encoding="utf-8")
                self._lines = self._stack.enter_context(lines)
                self._begin()
            self._lines.write(result_line(stamp_ns, latency, result, name) + "\n")

    def _add_image(self, seconds: float, image: Image, result: FrameResult, item: Item) -> None:
        self._draw_all(self._privacy.add(seconds, image, result.faces, item))

    def _draw_all(self, ready: Sequence[tuple[NDArray[np.uint8], Item]]) -> None:
        for pixels, item in ready:
            self._draw(pixels, item)

    @abstractmethod
    def _draw(self, pixels: NDArray[np.uint8], item: Item) -> None:
        """Draw into an image that the privacy filter has released, and write it."""

    def _begin(self) -> None:
        """Open further files before the first result is written."""

    def _finish(self) -> None:
        """Write what can be written only when everything was added."""


def _listed(folder: Path) -> list[Path]:
    """Return the existing files that the run file of an earlier run lists, none outside."""
    inside = folder.resolve()
    paths = [folder / name for name in read_run_info(folder).files]
    paths += [path.parent / LOCK_FILE for path in paths if path.parent != folder]
    return [
        path
        for path in dict.fromkeys(paths)
        if path.is_file() and inside in path.resolve().parents and not path.is_symlink()
    ]
