"""Write the output of a demo: demo.mp4, demo.png, faces.jsonl, run.json.

With a companion, which makes decisions about the faces, also timeline.png.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.colours import Colour
from edan_ros.drawing.faces import annotate
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.drawing.timeline import TimelineStrip
from edan_ros.recording.changes import Changes
from edan_ros.recording.contact_sheet import ContactSheet
from edan_ros.recording.files import write_image
from edan_ros.recording.run_folder import LINES, RunFolder
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.summary import Summary
from edan_ros.recording.video import VideoWriter

VIDEO, SHEET, TIMELINE = "demo.mp4", "demo.png", "timeline.png"
FILES = (VIDEO, SHEET, LINES, RUN_FILE, TIMELINE)
#: Width of the image of the whole timeline, pixels.
_TIMELINE_WIDTH = 1600


class Companion(Protocol):
    """A behaviour that makes decisions about the faces, and is shown with them."""

    timeline: TimelineStrip

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Process the result at a time of the recording; return what changed, in words."""

    def caption(self) -> Mapping[str, Colour]:
        """Return lines, with their colours, about the present decision and its reason."""


class _Drawing(NamedTuple):
    """What is drawn into an image. caption: of the companion at its time."""

    seconds: float
    result: FrameResult
    caption: Mapping[str, Colour]


class DemoWriter(RunFolder[_Drawing]):
    """Writes the output, as a context manager. Files of an earlier run in the folder are replaced.

    Args:
        companion: receives every result, and is drawn under the video.
        privacy: hides people before anything is drawn.

    Raises RecordingError where the folder cannot be written, or another run writes to it.
    """

    def __init__(
        self,
        folder: Path,
        companion: Companion | None = None,
        privacy: PrivacyFilter[_Drawing] | None = None,
    ) -> None:
        super().__init__(folder, FILES, privacy or PrivacyFilter("none"))
        self._companion = companion
        self.summary = Summary()
        self._changes = Changes()
        self._sheet = ContactSheet()
        self._video = self._stack.enter_context(VideoWriter(folder / VIDEO))

    def add(
        self, stamp_ns: int, result: FrameResult, image: Image | None, latency: float | None
    ) -> list[str]:
        """Add a result, with its image where that arrived; return what changed, in words.

        latency: seconds from the publication of the image to the arrival of the result.
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
            self._add_image(seconds, image, result, _Drawing(seconds, result, caption))
        return changes

    def _draw(self, pixels: NDArray[np.uint8], item: _Drawing) -> None:
        """Draw one frame of the video, the timeline of the companion under it."""
        drawn = annotate(pixels, item.result)
        self._sheet.add(item.seconds, drawn, item.result)
        if self._companion is not None:
            strip = self._companion.timeline.strip(drawn.shape[1], item.seconds, item.caption)
            drawn = np.vstack([drawn, strip])
        self._video.write(drawn, item.seconds)

    def _finish(self) -> None:
        sheet = self._sheet.sheet()
        if sheet is not None:
            write_image(self.folder / SHEET, sheet)
        if self._companion is not None:
            end = self.summary.recorded_seconds
            whole = self._companion.timeline.whole(_TIMELINE_WIDTH, 0.0, end)
            write_image(self.folder / TIMELINE, whole)
