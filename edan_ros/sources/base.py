"""What every source is: something that gives the frames of a camera, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from edan_ros.core.faces import CameraModel
from edan_ros.core.images import Image

#: Is told, in one sentence, of every frame that had to be left out.
OnSkip = Callable[[str], None]


class SourceError(RuntimeError):
    """A source cannot be opened or read. The message is one sentence: what, and what to do."""


@dataclass(slots=True, frozen=True)
class Frame:
    """One picture of a source.

    image: the pixels, upright. time: seconds since the first frame of the source. stamp_ns: when
    it was taken, nanoseconds since 1970, where the recording says so. frame_id: name of the
    camera's frame, "" where the recording does not say. camera: intrinsics that were recorded.
    name: of the picture's file, "" where the frames have none of their own.
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
        """Frames a second, 0.0 where that is not known."""
        ...

    @property
    def length(self) -> int | None:
        """Frames in all, it may be an estimate; None where that is not known."""
        ...

    @property
    def live(self) -> bool:
        """Whether the frames come at their own pace and have no end."""
        ...

    def frames(self) -> Generator[Frame, None, None]:
        """The frames from the first on; every call begins anew, one reads at a time.

        Closing the iterator frees what it holds open. Raises SourceError when the source fails.
        """
        ...


def ignore_skipped(_: str) -> None:
    """The OnSkip of those who do not want to know."""
