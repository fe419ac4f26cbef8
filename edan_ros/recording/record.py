"""Writes everything a run leaves in its folder: demo.mp4, demo.png, faces.jsonl, run.json.

With a companion, which decides something about the faces, also timeline.png.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.drawing import Colour, annotate
from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.core.privacy import Veil
from edan_ros.recording.changes import Changes
from edan_ros.recording.lines import result_line
from edan_ros.recording.moments import Moments
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.summary import Summary
from edan_ros.recording.timeline import Timeline, under
from edan_ros.recording.video import VideoWriter

VIDEO, PICTURE, LINES, TIMELINE = "demo.mp4", "demo.png", "faces.jsonl", "timeline.png"
FILES = (VIDEO, PICTURE, LINES, RUN_FILE, TIMELINE)
#: Pixels of the timeline's picture.
_TIMELINE_WIDTH = 1600


class Companion(Protocol):
    """Something that decides about the faces, and is shown with them."""

    timeline: Timeline

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decides on the result at a time of the recording. Returns what changed, in words."""

    def caption(self) -> Mapping[str, Colour]:
        """Lines, with their colours, that say what is decided now, and why."""


class _Shown(NamedTuple):
    """What is drawn into a picture when its turn comes. caption: the companion's, of its time."""

    seconds: float
    result: FrameResult
    caption: Mapping[str, Colour]


class Record:
    """A context manager. Files of an earlier run in the same folder are replaced.

    companion: is given every result, and drawn under the video. veil: covers people before they
    are drawn; what it holds back is written later.

    Raises OSError where the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        companion: Companion | None = None,
        veil: Veil[_Shown] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        self.folder = folder
        self._companion = companion
        self._veil: Veil[_Shown] = veil or Veil("none")
        self.summary = Summary()
        self._changes = Changes()
        self._moments = Moments()
        self._video: VideoWriter | None = None
        self._lines: TextIO = (folder / LINES).open("w", encoding="utf-8")

    def add(
        self, stamp_ns: int, result: FrameResult, image: Image | None, latency: float | None
    ) -> list[str]:
        """One more result, with its image where that arrived. Returns what changed, in words.

        latency: seconds from the image's publication to the result's arrival.
        """
        stamp = stamp_ns * 1e-9
        self.summary.add(stamp, latency, result)
        seconds = self.summary.recorded_seconds
        self._lines.write(result_line(stamp_ns, latency, result) + "\n")
        changes = self._changes.update(seconds, result)
        if self._companion is not None:
            lines = self._companion.follow(seconds, result)
            changes += [f"{seconds:7.2f} s  {line}" for line in lines]
        if image is not None:
            caption = {} if self._companion is None else self._companion.caption()
            shown = _Shown(seconds, result, caption)
            self._show(self._veil.add(seconds, image, result.faces, shown))
        return changes

    def files(self) -> list[Path]:
        """What was written."""
        return [p for p in (self.folder / name for name in FILES) if p.exists()]

    def _show(self, ready: list[tuple[NDArray[np.uint8], _Shown]]) -> None:
        for pixels, shown in ready:
            annotated = annotate(pixels, shown.result)
            self._moments.add(shown.seconds, annotated, shown.result)
            self._write(annotated, shown)

    def _write(self, annotated: NDArray[np.uint8], shown: _Shown) -> None:
        """One picture of the video, the companion's timeline under it."""
        companion, seconds = self._companion, shown.seconds
        if companion is not None:
            width = annotated.shape[1]
            strip = companion.timeline.strip(width, seconds, shown.caption)
            annotated = under(annotated, strip)
        height, width = annotated.shape[:2]
        if self._video is None:
            self._video = VideoWriter(self.folder / VIDEO, width, height)
        self._video.write(annotated, seconds)

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._show(self._veil.rest())
        self._lines.close()
        if self._video is not None:
            self._video.close()
        sheet = self._moments.sheet()
        if sheet is not None:
            cv2.imwrite(str(self.folder / PICTURE), sheet)
        if self._companion is not None:
            end = self.summary.recorded_seconds
            picture = self._companion.timeline.whole(_TIMELINE_WIDTH, 0.0, end)
            cv2.imwrite(str(self.folder / TIMELINE), picture)
