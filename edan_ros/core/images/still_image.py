"""A still image in a file's bytes, with the memory and time that decoding it takes.

The parsers of the formats (``compressed``, ``file_formats``) read these from the headers, so that
a hostile image is refused before memory is allocated for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.core.settings import check_settings, setting


class FormatError(ValueError):
    """An encoded image that must not be decoded. The message is a clause without a subject.

    Attributes:
        reason: key of the fault, as of ImageError.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CutShortError(FormatError):
    """The data end early."""

    def __init__(self, what: str) -> None:
        super().__init__("cut_short", f"is cut short or damaged: {what}")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The most that decoding one image may take; larger images are refused.

    Raises SettingsError, a ValueError, when a value is out of its range.
    """

    max_image_bytes: int = setting(
        300_000_000,
        "most memory that decoding an image may take, as its header announces it; larger images "
        "are refused. Colour takes 6 bytes per pixel, 12 with 16 bits",
        low=1_000_000,
        high=16_000_000_000,
        unit="bytes",
        live=False,
    )
    max_image_scans: int = setting(
        100,
        "most scans of a progressive JPEG, of which encoders write about 10",
        low=1,
        high=10_000,
        unit="scans",
        live=False,
    )
    max_scanned_pixels: int = setting(
        400_000_000,
        "most pixels of a progressive JPEG times its scans, which bounds the time of decoding: "
        "about 10 s for 10^9",
        low=1_000_000,
        high=100_000_000_000,
        unit="px",
        live=False,
    )

    def __post_init__(self) -> None:
        check_settings(self)


#: For messages.
DEFAULT_LIMITS = DecodeLimits()
#: For files that the user chose: the size that OpenCV itself permits.
FILE_LIMITS = DecodeLimits(max_image_bytes=4_000_000_000, max_scanned_pixels=2_000_000_000)


@dataclass(slots=True)
class StillImage:
    """Encoded data that hold one still image and little else, and what decoding them takes.

    Attributes:
        data: the bytes for the decoder, without animation and metadata where the format has them.
        width, height: size in pixels.
        samples: decoded samples per pixel.
        depth: bytes per decoded sample, 1 or 2.
        working_bytes: memory of the decoder beside the decoded samples.
        scans: number of passes over the image.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        entropy: for a JPEG, first and last byte of its coded data; None for other formats.
    """

    data: bytes
    width: int
    height: int
    samples: int
    depth: int = 1
    working_bytes: int = 0
    scans: int = 1
    orientation: int = 1
    entropy: tuple[int, int] | None = None

    @property
    def peak_bytes(self) -> int:
        """Memory that decoding takes at its peak.

        OpenCV copies the decoded image once it has freed its working memory. The conversion of 16
        bits follows after that, and needs less.
        """
        decoded = self.width * self.height * self.samples * self.depth
        return decoded + max(decoded, self.working_bytes)

    def check(self, limits: DecodeLimits) -> None:
        """Raise FormatError if the image is empty or exceeds a limit."""
        size = f"{self.width}x{self.height}"
        if not self.width or not self.height:
            raise FormatError("zero_size", f"has {size} pixels and is empty")
        if self.peak_bytes > limits.max_image_bytes:
            raise FormatError(
                "too_large",
                f"of {size} pixels takes {self.peak_bytes / 1e6:.0f} MB to decode, more than "
                f"max_image_bytes, {limits.max_image_bytes / 1e6:.0f} MB: publish smaller images "
                "or raise the limit",
            )
        if self.scans > limits.max_image_scans:
            raise FormatError(
                "too_large",
                f"has {self.scans} scans, more than max_image_scans, {limits.max_image_scans}: "
                "publish baseline JPEG or raise the limit",
            )
        if self.scans > 1 and self.scans * self.width * self.height > limits.max_scanned_pixels:
            raise FormatError(
                "too_large",
                f"of {size} pixels in {self.scans} scans takes too long to decode: publish "
                "baseline JPEG or raise max_scanned_pixels, "
                f"{limits.max_scanned_pixels / 1e6:.0f} million",
            )
