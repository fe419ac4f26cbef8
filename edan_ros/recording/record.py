"""Writes everything a run leaves in its folder: demo.mp4, demo.png, faces.jsonl, run.json.

With a companion, which decides something about the faces, also timeline.png.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.faces import Colour, annotate
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.drawing.timeline import Timeline, under
from edan_ros.recording.changes import Changes
from edan_ros.recording.moments import Moments
from edan_ros.recording.pictures import write_picture
from edan_ros.recording.run_folder import LINES, RunFolder
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.summary import Summary
from edan_ros.recording.video import VideoWriter

VIDEO, PICTURE, TIMELINE = "demo.mp4", "demo.png", "timeline.png"
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


class Record(RunFolder[_Shown]):
    """A context manager. Files of an earlier run in the same folder are replaced.

    companion: is given every result, and drawn under the video. veil: covers people before they
    are drawn; what it holds back is written later.

    Raises RecordingError where the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        companion: Companion | None = None,
        veil: PrivacyFilter[_Shown] | None = None,
    ) -> None:
        super().__init__(folder, FILES, veil or PrivacyFilter("none"))
        self._companion = companion
        self.summary = Summary()
        self._changes = Changes()
        self._moments = Moments()
        self._video = self._stack.enter_context(VideoWriter(folder / VIDEO))

    def add(
        self, stamp_ns: int, result: FrameResult, image: Image | None, latency: float | None
    ) -> list[str]:
        """One more result, with its image where that arrived. Returns what changed, in words.

        latency: seconds from the image's publication to the result's arrival.
        """
        self.summary.add(stamp_ns * 1e-9, latency, result)
        seconds = self.summary.recorded_seconds
        self._add_line(stamp_ns, latency, result)
        changes = self._changes.update(seconds, result)
        if self._companion is not None:
            lines = self._companion.follow(seconds, result)
            changes += [f"{seconds:7.2f} s  {line}" for line in lines]
        if image is not None:
            caption = {} if self._companion is None else self._companion.caption()
            self._add_picture(seconds, image, result, _Shown(seconds, result, caption))
        return changes

    def _draw(self, pixels: NDArray[np.uint8], item: _Shown) -> None:
        """One picture of the video, the companion's timeline under it."""
        drawn = annotate(pixels, item.result)
        self._moments.add(item.seconds, drawn, item.result)
        if self._companion is not None:
            strip = self._companion.timeline.strip(drawn.shape[1], item.seconds, item.caption)
            drawn = under(drawn, strip)
        self._video.write(drawn, item.seconds)

    def _finish(self) -> None:
        sheet = self._moments.sheet()
        if sheet is not None:
            write_picture(self.folder / PICTURE, sheet)
        if self._companion is not None:
            end = self.summary.recorded_seconds
            picture = self._companion.timeline.whole(_TIMELINE_WIDTH, 0.0, end)
            write_picture(self.folder / TIMELINE, picture)
