"""Pair each result with the image it was computed from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

ImageT = TypeVar("ImageT")
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Waiting(Generic[ImageT]):
    """An image that waits for its result. sent: time of publication, seconds."""

    stamp_ns: int
    image: ImageT
    sent: float


@dataclass(slots=True)
class Pair(Generic[ImageT, ResultT]):
    """A result and its image, None where the image did not arrive.

    latency: seconds from the publication of the image to the arrival of the result, None without
    an image.
    """

    stamp_ns: int
    result: ResultT
    image: ImageT | None
    latency: float | None


class Pairing(Generic[ImageT, ResultT]):
    """Pairs images and results by their stamps.

    Images arrive in the order of their results, but not all have one: an image older than that of
    the newest result was not processed. A result may arrive before its image. Repetitions, with
    the stamp of the one before, are ignored.

    limit: largest number of waiting images; beyond it, the oldest is dropped.
    """

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._images: deque[_Waiting[ImageT]] = deque()
        self._early: list[tuple[int, ResultT, float]] = []
        self._last_image: int | None = None  # stamps
        self._last_result: int | None = None
        #: Counts of images, results, images without a result, results without an image.
        self.images = self.results = self.unprocessed = self.imageless = 0

    def add_image(self, stamp_ns: int, image: ImageT, sent: float) -> list[Pair[ImageT, ResultT]]:
        """Add an image; return the pairs that are complete now, in order."""
        if stamp_ns == self._last_image:
            return []
        self._last_image = stamp_ns
        self.images += 1
        self._images.append(_Waiting(stamp_ns, image, sent))
        pairs, later = [], []
        for stamp, result, received in self._early:
            if stamp == stamp_ns:
                pairs.append(self._pair(stamp, result, received))
            elif stamp < stamp_ns:
                # Images keep their order: the image of this result is lost.
                pairs.append(self._imageless(stamp, result))
            else:
                later.append((stamp, result, received))
        self._early = later
        while len(self._images) > self._limit:
            self._images.popleft()
            self.unprocessed += 1
        return pairs

    def add_result(
        self, stamp_ns: int, result: ResultT, received: float
    ) -> list[Pair[ImageT, ResultT]]:
        """Add a result that arrived at ``received`` (seconds); return the complete pairs."""
        if stamp_ns == self._last_result:
            return []
        self._last_result = stamp_ns
        self.results += 1
        if any(waiting.stamp_ns == stamp_ns for waiting in self._images):
            return [self._pair(stamp_ns, result, received)]
        self._early.append((stamp_ns, result, received))
        return []

    def finish(self) -> list[Pair[ImageT, ResultT]]:
        """Return the results that have no image, when nothing more will arrive."""
        early, self._early = self._early, []
        return [self._imageless(stamp, result) for stamp, result, _ in early]

    def _pair(self, stamp_ns: int, result: ResultT, received: float) -> Pair[ImageT, ResultT]:
        while (waiting := self._images.popleft()).stamp_ns != stamp_ns:
            self.unprocessed += 1
        return Pair(stamp_ns, result, waiting.image, received - waiting.sent)

    def _imageless(self, stamp_ns: int, result: ResultT) -> Pair[ImageT, ResultT]:
        self.imageless += 1
        return Pair(stamp_ns, result, None, None)
