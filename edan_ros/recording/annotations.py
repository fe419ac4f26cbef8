"""The output of `edan annotate`: a video or images with faces drawn in, lines and tables."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.faces import annotate
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.files import write_image
from edan_ros.recording.run_folder import LINES, RunFolder
from edan_ros.recording.run_info import RUN_FILE
from edan_ros.recording.sound import Sound, SoundSource
from edan_ros.recording.tables import FaceTable, ParquetTable
from edan_ros.recording.video import VideoWriter

VIDEO, TABLE, PARQUET = "annotated.mp4", "faces.csv", "faces.parquet"
FILES = (VIDEO, LINES, TABLE, PARQUET, RUN_FILE)
#: Pixels of the longer side above which a video is made smaller: the largest of H.264.
_MAX_SIDE = 4096


class _Drawing(NamedTuple):
    """What is drawn into an image. file: to write it to; "" for an image of a video."""

    seconds: float
    file: str
    result: FrameResult


class Annotations(RunFolder[_Drawing]):
    """Writes the output, as a context manager.

    Args:
        privacy: hides people before anything is drawn.
        sound: video whose sound is copied to the new one.
        landmarks: whether the tables have the 68 landmarks.
        parquet: whether to write the table as Parquet, too.

    Raises RecordingError where the folder cannot be written, or another run writes to it.
    """

    def __init__(
        self,
        folder: Path,
        privacy: PrivacyFilter[_Drawing],
        sound: SoundSource | None = None,
        *,
        landmarks: bool = False,
        parquet: bool = False,
    ) -> None:
        super().__init__(folder, FILES, privacy)
        self._sound, self._landmarks, self._parquet = sound, landmarks, parquet
        self._tables: list[FaceTable | ParquetTable] = []
        self._images: list[str] = []

    def _begin(self) -> None:
        self._tables = [FaceTable(self.folder / TABLE, landmarks=self._landmarks)]
        if self._parquet:
            self._tables.append(ParquetTable(self.folder / PARQUET, landmarks=self._landmarks))
        for table in self._tables:
            self._stack.enter_context(table)
        track = None if self._sound is None else self._stack.enter_context(Sound(self._sound))
        video = VideoWriter(self.folder / VIDEO, max_side=_MAX_SIDE, sound=track)
        self._video = self._stack.enter_context(video)

    def add(self, seconds: float, stamp_ns: int, image: Image, result: FrameResult) -> None:
        """Add an image of a video with its faces.

        Args:
            seconds: since the first image.
            stamp_ns: for the lines and the tables.
        """
        self._add(seconds, stamp_ns, "", "", image, result)

    def add_file(self, name: str, file: str, image: Image, result: FrameResult) -> None:
        """Add an image file with its faces, which has no stamp.

        Args:
            name: of the file, for the lines and the tables.
            file: name of the annotated one to write.
        """
        self._add(float(len(self._images)), None, name, file, image, result)
        self._images.append(file)

    def _add(
        self,
        seconds: float,
        stamp_ns: int | None,
        name: str,
        file: str,
        image: Image,
        result: FrameResult,
    ) -> None:
        self._add_line(stamp_ns, None, result, name)
        for table in self._tables:
            table.add(None if stamp_ns is None else stamp_ns * 1e-9, name, result)
        self._add_image(seconds, image, result, _Drawing(seconds, file, result))

    def files(self) -> list[Path]:
        """Return the files written."""
        return super().files() + [self.folder / name for name in self._images]

    def _draw(self, pixels: NDArray[np.uint8], item: _Drawing) -> None:
        drawn = annotate(pixels, item.result)
        if item.file:
            write_image(self.folder / item.file, drawn)
        else:
            self._video.write(drawn, item.seconds)
