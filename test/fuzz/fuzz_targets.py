"""What is fuzzed: each target makes inputs from a random generator, and checks one input."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from fuzz_images import SEEDS, mutate, mutate_bytes

from edan_ros.core.images import Image, ImageError, decode_compressed, decode_file


class Target(ABC):
    """One kind of input."""

    #: Most bytes of an input that is mutated again.
    max_bytes = 100_000

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Return valid inputs."""

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Use an input. Any exception is a fault, as is a crash or a hang."""

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        """Return a changed input."""
        return mutate_bytes(data, rng)


class Images(Target):
    """Encoded images, as messages and as files.

    Args:
        formats: of SEEDS.
    """

    def __init__(self, *formats: str) -> None:
        self._formats = formats or tuple(SEEDS)

    def seeds(self) -> list[bytes]:
        return [data for name in self._formats for data in SEEDS[name]()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return mutate(data, rng)

    def check(self, data: bytes) -> None:
        for decode in (
            lambda: decode_compressed(data, "fuzz"),
            lambda: decode_compressed(data, "fuzz", reduction=4, gray=True),
            lambda: decode_file(data, "fuzz"),
        ):
            try:
                image = decode()
            except ImageError as error:
                assert "\n" not in str(error)
                assert error.reason
            else:
                _check_image(image)


def _check_image(image: Image) -> None:
    assert image.pixels.dtype == "uint8"
    assert image.pixels.size
    assert image.width >= image.pixels.shape[1]
    assert image.height >= image.pixels.shape[0]
    assert image.bgr().shape == (*image.pixels.shape[:2], 3)


#: Name -> target.
TARGETS: dict[str, Callable[[], Target]] = {
    "images": Images,
    **{name: partial(Images, name) for name in SEEDS},
}
