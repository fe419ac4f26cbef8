"""Brings together what belongs together: each result with the image it was made from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Picture = TypeVar("Picture")
Result = TypeVar("Result")


@dataclass(slots=True)
class Sent(Generic[Picture]):
    """An image that waits for its result. sent: seconds, when it was published."""

    stamp_ns: int
    image: Picture
    sent: float


@dataclass(slots=True)
class Pair(Generic[Picture, Result]):
    """A result and its image, None where that one did not arrive.

    latency: seconds from the publication of the image to the arrival of the result, None without
    an image.
    """

    stamp_ns: int
    result: Result
    image: Picture | None
    latency: float | None


class Pairing(Generic[Picture, Result]):
    """Pairs images and results by their stamps.

    Images come in the order of their results, but not all get one: what is older than the image
    of the newest result was not processed. A result may overtake its image on the way. What comes
    again, with the stamp of the one before, is passed over.

    limit: images that may wait at the same time; beyond, the oldest is given up.
    """

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._images: deque[Sent[Picture]] = deque()
        self._early: list[tuple[int, Result, float]] = []
        self._last_image: int | None = None  # stamps
        self._last_result: int | None = None
        #: Images and results that came, images that got no result, results without an image.
        self.images = self.results = self.unprocessed = self.imageless = 0

    def add_image(self, stamp_ns: int, image: Picture, sent: float) -> list[Pair[Picture, Result]]:
        """An image came. Returns what is complete now, in order."""
        if stamp_ns == self._last_image:
            return []
        self._last_image = stamp_ns
        self.images += 1
        self._images.append(Sent(stamp_ns, image, sent))
        pairs, later = [], []
        for stamp, result, received in self._early:
            if stamp == stamp_ns:
                pairs.append(self._pair(stamp, result, received))
            elif stamp < stamp_ns:
                # Images keep their order, so the one of this result is lost.
                pairs.append(self._imageless(stamp, result))
            else:
                later.append((stamp, result, received))
        self._early = later
        while len(self._images) > self._limit:
            self._images.popleft()
            self.unprocessed += 1
        return pairs

    def add_result(
        self, stamp_ns: int, result: Result, received: float
    ) -> list[Pair[Picture, Result]]:
        """A result came at ``received`` (seconds). Returns what is complete now, in order."""
        if stamp_ns == self._last_result:
            return []
        self._last_result = stamp_ns
        self.results += 1
        if any(waiting.stamp_ns == stamp_ns for waiting in self._images):
            return [self._pair(stamp_ns, result, received)]
        self._early.append((stamp_ns, result, received))
        return []

    def finish(self) -> list[Pair[Picture, Result]]:
        """Nothing more comes: the results that are still without an image."""
        early, self._early = self._early, []
        return [self._imageless(stamp, result) for stamp, result, _ in early]

    def _pair(self, stamp_ns: int, result: Result, received: float) -> Pair[Picture, Result]:
        while (waiting := self._images.popleft()).stamp_ns != stamp_ns:
            self.unprocessed += 1
        return Pair(stamp_ns, result, waiting.image, received - waiting.sent)

    def _imageless(self, stamp_ns: int, result: Result) -> Pair[Picture, Result]:
        self.imageless += 1
        return Pair(stamp_ns, result, None, None)
