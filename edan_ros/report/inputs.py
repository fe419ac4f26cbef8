"""Find and read the recording of a report, and the images of its results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from edan_ros.recording.run_folder import LINES
from edan_ros.report.from_bag import read_bag
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import EpochCounter, Recording
from edan_ros.sources import Frame, SourceError, create_source
from edan_ros.sources.bag import BAG_ENDINGS, BagSource, is_bag


def find_recording(text: str) -> Path:
    """Return the path of a bag or of JSON lines.

    Args:
        text: path of a bag, of the ``faces.jsonl`` of a run, or of a run's folder.

    Raises:
        SourceError: if there is none.
    """
    path = Path(text).expanduser()
    try:
        if path.is_dir() and (path / LINES).is_file():
            return path / LINES
        if path.exists():
            return path
    except OSError as error:
        raise SourceError(f"{text} cannot be read: {error.strerror or error}") from error
    raise SourceError(f"there is no {text}: give a bag, a faces.jsonl, or the folder of a run")


def read_recording(path: Path) -> Recording:
    """Read a bag or JSON lines. Raises SourceError if that fails."""
    if is_bag(path):
        return read_bag(path)
    if path.is_dir():
        raise SourceError(
            f"{path} is neither a bag nor the folder of a run: it has no {LINES}, no "
            f"metadata.yaml and no {', '.join(BAG_ENDINGS)}"
        )
    return read_lines(path)


def frames_of(recording: Recording, source: str | None) -> dict[int, Iterable[Frame]]:
    """Return the images of a recording by the number of the stream, on the recording's clock.

    Args:
        source: what the results were made from; None for the images of the bag itself, or for
            the file that the run has recorded as its source.

    Raises:
        SourceError: if there are no images, or ``source`` does not fit.
    """
    if source is None and not is_bag(Path(recording.name)):
        recorded = recording.settings.get("source", "")
        source = recorded if recorded and Path(recorded).exists() else None
    if source is not None:
        opened = create_source(source)
        if opened.live:
            raise SourceError(f"{source} is live: --source must be what was recorded")
        if len(recording.streams) > 1:
            raise SourceError("--source is for one camera; for several the bag's images are used")
        if recording.is_still:
            return {0: opened.frames()}
        return {0: _aligned(recording, opened.frames())}
    frames: dict[int, Iterable[Frame]] = {}
    for number, stream in enumerate(recording.streams):
        if not stream.image_topic:
            raise SourceError(
                f"{recording.name} holds no images that belong to {stream.name or 'the results'}: "
                "name what they were made from with --source"
            )
        images = BagSource(Path(recording.name), stream.image_topic)
        frames[number] = _aligned(recording, images.frames())
    return frames


def _aligned(recording: Recording, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames with their times in seconds of the recording.

    Frames with a stamp are placed by it. Without stamps, the first frame is that of the first
    result, and jumps of the times are those of the results.
    """
    counter = EpochCounter()
    for frame in frames:
        stamp = frame.stamp_ns
        if stamp is None:
            stamp = recording.begin_ns + round(frame.time * 1e9)
        time = recording.axis.seconds(counter.number(stamp))
        if math.isfinite(time):
            yield replace(frame, time=time)
