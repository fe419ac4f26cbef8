"""The protocol of a source: something that yields the frames of a camera in sequence."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from edan_ros.core.faces import CameraModel
from edan_ros.core.images import Image

#: Receives a sentence for every skipped frame, damaged part and jump of the stamps.
Log = Callable[[str], None]


class SourceError(RuntimeError):
    """A source cannot be opened or read. The message is one sentence: what, and what to do."""


@dataclass(slots=True, frozen=True)
class Frame:
    """One image of a source.

    Attributes:
        image: the pixels, upright.
        time: seconds since the first frame of the source. May jump; see ``core.stamps``.
        stamp_ns: acquisition time, nanoseconds since 1970, where the recording has it.
        frame_id: coordinate frame of the camera, "" where the recording has none.
        camera: recorded intrinsics.
        name: the image's file, "" where frames have no files of their own.
    """

    image: Image
    time: float
    stamp_ns: int | None = None
    frame_id: str = ""
    camera: CameraModel | None = None
    name: str = ""


class Source(Protocol):
    """Frames of one camera."""

    @property
    def name(self) -> str:
        """What the user called it, for messages."""
        ...

    @property
    def rate(self) -> float:
        """Frames per second, 0.0 where that is not known."""
        ...

    @property
    def length(self) -> int | None:
        """Number of frames, possibly an estimate; None where that is not known."""
        ...

    @property
    def live(self) -> bool:
        """Whether the frames come at their own pace and have no end."""
        ...

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the frames from the first on; every call starts over, one reads at a time.

        Closing the iterator frees what it holds open. Raises SourceError when the source fails.
        """
        ...


def discard(_: str) -> None:
    """A Log that drops every sentence."""
