"""Output folders of all runs: lines of JSON, and a video or images with people hidden."""

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
from edan_ros.recording.locks import locked_folder

LINES = "faces.jsonl"

Item = TypeVar("Item")
Run = TypeVar("Run", bound="RunFolder[Any]")


class RunFolder(ABC, Generic[Item]):
    """A context manager that writes the files of a run. Those of an earlier run are replaced.

    The folder is locked from the constructor to the exit. Leaving completes all files, whatever
    ended the run: a signal that raises an exception loses nothing that was added.

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
        with ExitStack() as opened:
            opened.enter_context(locked_folder(folder))
            with writing(folder):
                for name in names:
                    (folder / name).unlink(missing_ok=True)
                lines = (folder / LINES).open("w", encoding="utf-8")
            self._lines = opened.enter_context(lines)
            self._stack = opened.pop_all()

    def __enter__(self: Run) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self.folder), self._stack:
            self._draw_all(self._privacy.flush())
            self._finish()

    def files(self) -> list[Path]:
        """Return the files written."""
        return [path for path in (self.folder / name for name in self._names) if path.exists()]

    def _add_line(
        self, stamp_ns: int, latency: float | None, result: FrameResult, name: str = ""
    ) -> None:
        with writing(self.folder / LINES):
            self._lines.write(result_line(stamp_ns, latency, result, name) + "\n")

    def _add_image(self, seconds: float, image: Image, result: FrameResult, item: Item) -> None:
        self._draw_all(self._privacy.add(seconds, image, result.faces, item))

    def _draw_all(self, ready: Sequence[tuple[NDArray[np.uint8], Item]]) -> None:
        for pixels, item in ready:
            self._draw(pixels, item)

    @abstractmethod
    def _draw(self, pixels: NDArray[np.uint8], item: Item) -> None:
        """Draw into an image that the privacy filter has released, and write it."""

    def _finish(self) -> None:
        """Write what can be written only when everything was added."""
