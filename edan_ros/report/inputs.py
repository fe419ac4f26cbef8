"""Find and read the recording of a report, and the images of its results."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edan_ros.recording.run_folder import LINES
from edan_ros.report.from_bag import read_bag
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import EpochCounter, Recording
from edan_ros.sources import Frame, SourceError, create_source
from edan_ros.sources.bag import BAG_ENDINGS, BagSource, is_bag
from edan_ros.sources.image_files import natural_key, read_image
from edan_ros.sources.inputs import find_inputs, may_be_single, single_image


def find_recordings(text: str) -> list[Path]:
    """Return the paths of bags or of JSON lines.

    Args:
        text: path of a bag, of the ``faces.jsonl`` of a run, or of a run's folder, which may hold
            a folder for each of several recordings.

    Raises:
        SourceError: if there is none.
    """
    path = Path(text).expanduser()
    try:
        if path.is_dir() and not is_bag(path):
            below = sorted(path.glob(f"*/{LINES}"), key=natural_key)
            found = [lines for lines in (path / LINES, *below) if lines.is_file()]
            if found:
                return found
        if path.exists():
            return [path]
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
    recorded = "" if is_bag(Path(recording.name)) else recording.settings.get("source", "")
    if recording.is_still:
        texts = _existing(recorded) if source is None else [source]
        if texts:
            return {0: _single_images(texts, set(recording.streams[0].files))}
    if source is None and os.path.exists(recorded):
        source = recorded
    if source is not None:
        opened = create_source(source)
        if opened.live:
            raise SourceError(f"{source} is live: --source must be what was recorded")
        if len(recording.streams) > 1:
            raise SourceError("--source is for one camera; for several the bag's images are used")
        return {0: _aligned(recording, opened.frames())}
    if recorded:
        raise SourceError(
            f"{recorded} is not here: name what the results were made from with --source"
        )
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


def _existing(sources: str) -> list[str]:
    """Return those of the sources that a run has recorded, separated by commas, that exist."""
    if os.path.exists(sources):
        return [sources]
    texts = sources.split(", ")
    return [text for text in texts if os.path.exists(text) or glob.glob(text, recursive=True)]


def _single_images(texts: Sequence[str], names: Collection[str]) -> Iterator[Frame]:
    """Yield the single images of these names, which are those that ``edan annotate`` gives them."""
    for item in find_inputs(texts, recursive=True)[0]:
        if item.path is None:
            raise SourceError(f"there is no {item.text}: name images with --source")
        if item.name not in names:
            continue
        try:
            if item.is_image:
                yield Frame(read_image(item.path), 0.0, name=item.name)
            elif may_be_single(item) and (frame := single_image(create_source(item.text))):
                yield replace(frame, name=item.name)
        except SourceError:
            continue  # no result is of this image


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
