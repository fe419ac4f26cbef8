"""What the folders of all runs have: lines of JSON, and a film or pictures with people covered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.errors import writing
from edan_ros.recording.lines import result_line

LINES = "faces.jsonl"

Item = TypeVar("Item")
Run = TypeVar("Run", bound="RunFolder[Any]")


class RunFolder(ABC, Generic[Item]):
    """A context manager. Files of an earlier run in the same folder are replaced.

    folder: is made where it is not there. names: of all files that the run may leave. veil: covers
    people before they are drawn; what it holds back is drawn later.

    Raises RecordingError where the folder cannot be written, here or later.
    """

    def __init__(self, folder: Path, names: Sequence[str], veil: PrivacyFilter[Item]) -> None:
        self.folder = folder
        self._names = names
        self._veil = veil
        #: Closes what is open.
        self._stack = ExitStack()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                (folder / name).unlink(missing_ok=True)
            lines = (folder / LINES).open("w", encoding="utf-8")
        self._lines = self._stack.enter_context(lines)

    def __enter__(self: Run) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self.folder), self._stack:
            self._show(self._veil.flush())
            self._finish()

    def files(self) -> list[Path]:
        """What was written."""
        return [path for path in (self.folder / name for name in self._names) if path.exists()]

    def _add_line(
        self, stamp_ns: int, latency: float | None, result: FrameResult, name: str = ""
    ) -> None:
        with writing(self.folder / LINES):
            self._lines.write(result_line(stamp_ns, latency, result, name) + "\n")

    def _add_picture(self, seconds: float, image: Image, result: FrameResult, item: Item) -> None:
        self._show(self._veil.add(seconds, image, result.faces, item))

    def _show(self, ready: Sequence[tuple[NDArray[np.uint8], Item]]) -> None:
        for pixels, item in ready:
            self._draw(pixels, item)

    @abstractmethod
    def _draw(self, pixels: NDArray[np.uint8], item: Item) -> None:
        """Draws into a picture whose turn has come, and writes it."""

    def _finish(self) -> None:
        """Writes what can be written only when all is there."""
