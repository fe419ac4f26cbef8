"""Writes everything a run leaves in its folder: demo.mp4, demo.png, faces.jsonl."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TextIO

import cv2

from edan_ros.core.drawing import annotate
from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.recording.changes import Changes
from edan_ros.recording.lines import result_line
from edan_ros.recording.moments import Moments
from edan_ros.recording.summary import Summary
from edan_ros.recording.video import VideoWriter

VIDEO, PICTURE, LINES = "demo.mp4", "demo.png", "faces.jsonl"


class Record:
    """A context manager. Files of an earlier run in the same folder are replaced.

    Raises OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (VIDEO, PICTURE, LINES):
            (folder / name).unlink(missing_ok=True)
        self.folder = folder
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
        if image is not None:
            annotated = annotate(image.bgr(), result)
            if self._video is None:
                path = self.folder / VIDEO
                self._video = VideoWriter(path, image.width, image.height)
            self._video.write(annotated, seconds)
            self._moments.add(seconds, annotated, result)
        return self._changes.update(seconds, result)

    def files(self) -> list[Path]:
        """What was written."""
        return [p for p in (self.folder / n for n in (VIDEO, PICTURE, LINES)) if p.exists()]

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._lines.close()
        if self._video is not None:
            self._video.close()
        sheet = self._moments.sheet()
        if sheet is not None:
            cv2.imwrite(str(self.folder / PICTURE), sheet)
