"""What `edan annotate` leaves: a video or pictures with the faces drawn in, lines and a table."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.faces import annotate
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.errors import writing
from edan_ros.recording.pictures import Stems, write_picture
from edan_ros.recording.run_folder import LINES, RunFolder
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.sound import FilmedSound, Sound
from edan_ros.recording.tables import FaceTable
from edan_ros.recording.video import VideoWriter

VIDEO, TABLE = "annotated.mp4", "faces.csv"
FILES = (VIDEO, LINES, TABLE, RUN_FILE)
#: Pixels of the longer side above which a video is made smaller: the largest of H.264.
_MOST_PIXELS = 4096


class _Shown(NamedTuple):
    """What is drawn into a picture when its turn comes. name: of its file; "" for a video's."""

    seconds: float
    name: str
    result: FrameResult


class Annotations(RunFolder[_Shown]):
    """A context manager. Files of an earlier run in the same folder are replaced.

    veil: covers people before they are drawn. sound: video whose sound goes into the new one.

    Raises RecordingError where the folder cannot be written.
    """

    def __init__(self, folder: Path, veil: PrivacyFilter[_Shown], sound: FilmedSound | None = None) -> None:
        super().__init__(folder, FILES, veil)
        with writing(folder):
            self._table = self._stack.enter_context(FaceTable(folder / TABLE))
        track = None if sound is None else self._stack.enter_context(Sound(sound))
        video = VideoWriter(folder / VIDEO, max_side=_MOST_PIXELS, sound=track)
        self._video = self._stack.enter_context(video)
        self._stems = Stems()
        self._pictures: list[str] = []

    def add(
        self, seconds: float, stamp_ns: int, name: str, image: Image, result: FrameResult
    ) -> None:
        """One more image with its faces.

        seconds: since the first. stamp_ns: for the lines and the table. name: of a picture's file,
        which is written under this name; "" for a picture of a video.
        """
        self._add_line(stamp_ns, None, result, name)
        with writing(self.folder / TABLE):
            self._table.add(stamp_ns * 1e-9, name, result)
        self._add_picture(seconds, image, result, _Shown(seconds, name, result))

    def files(self) -> list[Path]:
        """What was written; of pictures the first and the last."""
        pictures = self._pictures
        shown = pictures if len(pictures) < 3 else (pictures[0], pictures[-1])
        return super().files() + [self.folder / name for name in shown]

    def _draw(self, pixels: NDArray[np.uint8], item: _Shown) -> None:
        drawn = annotate(pixels, item.result)
        if item.name:
            file = f"{self._stems.new(item.name)}.jpg"
            write_picture(self.folder / file, drawn)
            self._pictures.append(file)
        else:
            self._video.write(drawn, item.seconds)
