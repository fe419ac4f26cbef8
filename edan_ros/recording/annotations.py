"""The output of `edan annotate`: a video or images with faces drawn in, lines and a table."""

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
from edan_ros.recording.image_files import Stems, write_image
from edan_ros.recording.run_folder import LINES, RunFolder
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.sound import Sound, SoundSource
from edan_ros.recording.tables import FaceTable
from edan_ros.recording.video import VideoWriter

VIDEO, TABLE = "annotated.mp4", "faces.csv"
FILES = (VIDEO, LINES, TABLE, RUN_FILE)
#: Pixels of the longer side above which a video is made smaller: the largest of H.264.
_MAX_SIDE = 4096


class _Drawing(NamedTuple):
    """What is drawn into an image. name: of its file; "" for an image of a video."""

    seconds: float
    name: str
    result: FrameResult


class Annotations(RunFolder[_Drawing]):
    """Writes the output, as a context manager. Files of an earlier run in the folder are replaced.

    Args:
        privacy: hides people before anything is drawn.
        sound: video whose sound is copied to the new one.

    Raises RecordingError where the folder cannot be written, or another run writes to it.
    """

    def __init__(
        self, folder: Path, privacy: PrivacyFilter[_Drawing], sound: SoundSource | None = None
    ) -> None:
        super().__init__(folder, FILES, privacy)
        with writing(folder):
            self._table = self._stack.enter_context(FaceTable(folder / TABLE))
        track = None if sound is None else self._stack.enter_context(Sound(sound))
        video = VideoWriter(folder / VIDEO, max_side=_MAX_SIDE, sound=track)
        self._video = self._stack.enter_context(video)
        self._stems = Stems()
        self._images: list[str] = []

    def add(
        self, seconds: float, stamp_ns: int, name: str, image: Image, result: FrameResult
    ) -> None:
        """Add an image with its faces.

        Args:
            seconds: since the first image.
            stamp_ns: for the lines and the table.
            name: of an image file, under which the annotated one is written; "" for an image of
                a video.
        """
        self._add_line(stamp_ns, None, result, name)
        with writing(self.folder / TABLE):
            self._table.add(stamp_ns * 1e-9, name, result)
        self._add_image(seconds, image, result, _Drawing(seconds, name, result))

    def files(self) -> list[Path]:
        """Return the files written."""
        return super().files() + [self.folder / name for name in self._images]

    def _draw(self, pixels: NDArray[np.uint8], item: _Drawing) -> None:
        drawn = annotate(pixels, item.result)
        if item.name:
            file = f"{self._stems.new(item.name)}.jpg"
            write_image(self.folder / file, drawn)
            self._images.append(file)
        else:
            self._video.write(drawn, item.seconds)
