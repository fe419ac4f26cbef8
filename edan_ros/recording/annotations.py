"""What `edan annotate` leaves: a video or pictures with the faces drawn in, lines and a table."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.drawing import annotate
from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.core.privacy import Veil
from edan_ros.recording.errors import RecordingError
from edan_ros.recording.lines import result_line
from edan_ros.recording.record import LINES
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.sound import Sound
from edan_ros.recording.tables import FaceTable
from edan_ros.recording.video import VideoWriter

VIDEO, TABLE = "annotated.mp4", "faces.csv"
FILES = (VIDEO, LINES, TABLE, RUN_FILE)
#: Pixels of the longer side above which a video is made smaller: the largest of H.264.
_MOST_PIXELS = 4096
_JPEG_QUALITY = 95


class _Shown(NamedTuple):
    """What is drawn into a picture when its turn comes. name: of its file; "" for a video's."""

    seconds: float
    name: str
    result: FrameResult


class Annotations:
    """A context manager. Files of an earlier run in the same folder are replaced.

    folder: must be there. veil: covers people before they are drawn. sound: video whose sound goes
    into the new one.

    Raises RecordingError where the folder cannot be written.
    """

    def __init__(self, folder: Path, veil: Veil[_Shown], sound: Path | None = None) -> None:
        self._folder = folder
        self._veil = veil
        self._sound = None if sound is None else Sound(sound)
        self._video: VideoWriter | None = None
        self._written: dict[str, None] = {}
        try:
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
            self._lines: TextIO = (folder / LINES).open("w", encoding="utf-8")
            self._table = FaceTable(folder / TABLE)
        except OSError as error:
            raise RecordingError(f"{folder} cannot be written: {error}") from error

    def __enter__(self) -> Annotations:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._show(self._veil.rest())
        self._lines.close()
        self._table.__exit__(kind, error, at)
        if self._video is not None:
            self._video.close()
        if self._sound is not None:
            self._sound.close()

    def add(
        self, seconds: float, stamp_ns: int, name: str, image: Image, result: FrameResult
    ) -> None:
        """One more image with its faces.

        seconds: since the first. stamp_ns: for the lines and the table. name: of a picture's file,
        which is written under this name; "" for a picture of a video.
        """
        self._lines.write(result_line(stamp_ns, None, result, name) + "\n")
        self._table.add(stamp_ns * 1e-9, name, result)
        self._show(self._veil.add(seconds, image, result.faces, _Shown(seconds, name, result)))

    def files(self) -> list[Path]:
        """What was written; of pictures the first and the last."""
        pictures = [*self._written]
        names = [*FILES, *(pictures if len(pictures) < 3 else (pictures[0], pictures[-1]))]
        return [path for path in (self._folder / name for name in names) if path.exists()]

    def _show(self, ready: list[tuple[NDArray[np.uint8], _Shown]]) -> None:
        for pixels, shown in ready:
            drawn = annotate(pixels, shown.result)
            if shown.name:
                self._write_picture(drawn, shown.name)
            else:
                self._write_frame(drawn, shown.seconds)

    def _write_picture(self, drawn: NDArray[np.uint8], name: str) -> None:
        stem, number = Path(name).stem, 2
        file = f"{stem}.jpg"
        while file in self._written:  # of one name in two folders, or of two kinds
            file = f"{stem}_{number}.jpg"
            number += 1
        self._written[file] = None
        if not cv2.imwrite(
            str(self._folder / file), drawn, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        ):
            raise RecordingError(f"{self._folder / file} cannot be written: is the disk full?")

    def _write_frame(self, drawn: NDArray[np.uint8], seconds: float) -> None:
        height, width = drawn.shape[:2]
        if self._video is None:
            path = self._folder / VIDEO
            self._video = VideoWriter(path, width, height, max_side=_MOST_PIXELS, sound=self._sound)
        self._video.write(drawn, seconds)
