"""Decoding of ROS image messages: every encoding, with an error for each kind of malformed one.

Common encodings stay views into the message; grey levels are computed for requested regions only.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.compressed import JPEG_MAGIC, has_known_signature, image_size
from edan_ros.core.decoder_log import decoder_log

#: Anything with the buffer protocol, such as the data of a message.
Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]"
#: x0, y0, x1, y1 in pixels; x1 and y1 are excluded.
Region = tuple[int, int, int, int]

#: Smallest side in pixels that can hold a face; smaller images are accepted with a warning.
TINY_SIDE = 16
#: Number of pixels above which more resolution does not help; accepted with a warning.
HUGE_PIXELS = 16_000_000
#: Number of pixels above which a compressed image is rejected before memory is allocated for it.
MAX_COMPRESSED_PIXELS = 100_000_000

#: Factors by which a JPEG can be shrunk while it is decoded.
REDUCTIONS = (1, 2, 4, 8)
#: Reduction -> OpenCV's flags for colour and for grey.
_REDUCED = {
    1: (cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH, cv2.IMREAD_GRAYSCALE),
    2: (cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    4: (cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    8: (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
}

_TO_GRAY = {"bgr": cv2.COLOR_BGR2GRAY, "rgb": cv2.COLOR_RGB2GRAY}


class ImageError(ValueError):
    """An image that cannot be used. The message is one sentence for the user.

    Attributes:
        reason: snake_case key of the fault for counters: zero_size, encoding, step, data_length,
            odd_size, not_an_image, cut_short or too_large.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Image:
    """Pixels with the order of their channels.

    Attributes:
        pixels: uint8, (height, width) for "mono", (height, width, 3) for "bgr" and "rgb"; rows
            may be padded (a view into a message), and the memory may be read-only.
        order: "mono", "bgr" or "rgb".
        warning: what is unusual about an image that can still be used (never raised): an
            ImageError of reason damaged, padded_rows, sixteen_bit, big_endian, tiny_image or
            huge_image, or None.
        reduction: factor, of REDUCTIONS, by which a JPEG was shrunk while it was decoded; pixel u
            of ``pixels`` has its centre at reduction * u + (reduction - 1) / 2 of the image.
        full_size: width and height of the image if it was shrunk, in pixels.
    """

    pixels: NDArray[np.uint8]
    order: str = "bgr"
    warning: ImageError | None = field(default=None, compare=False)
    reduction: int = 1
    full_size: tuple[int, int] | None = None

    @property
    def width(self) -> int:
        """Width in pixels of the image before it was shrunk."""
        return self.full_size[0] if self.full_size else int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels of the image before it was shrunk."""
        return self.full_size[1] if self.full_size else int(self.pixels.shape[0])

    def gray(self, region: Region | None = None) -> NDArray[np.uint8]:
        """Return grey levels (ITU-R BT.601) of a region of ``pixels``, of all without one.

        A view if the image is grey already.
        """
        part = self.pixels
        if region is not None:
            x0, y0, x1, y1 = region
            part = part[y0:y1, x0:x1]
        if self.order == "mono":
            return part
        return np.asarray(cv2.cvtColor(part, _TO_GRAY[self.order]), np.uint8)

    def bgr(self) -> NDArray[np.uint8]:
        """Return (height, width, 3) blue, green, red; ``pixels`` itself if it is in this order."""
        if self.order == "bgr":
            return self.pixels
        code = cv2.COLOR_GRAY2BGR if self.order == "mono" else cv2.COLOR_RGB2BGR
        return np.asarray(cv2.cvtColor(self.pixels, code), np.uint8)


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How to convert the bytes of one encoding to pixels.

    order: as in Image. depth: bytes per sample. channels: samples per pixel in a row of the
    message. code: OpenCV conversion to BGR; None if the samples are the pixels. rows: rows of data
    per two rows of the image (3 for the planar 4:2:0 formats). even: sides that must be even.
    """

    order: str
    depth: int = 1
    channels: int = 1
    code: int | None = None
    rows: int = 2
    even: tuple[str, ...] = ()


def _bayer(code: int) -> dict[int, _Encoding]:
    return {depth: _Encoding("bgr", depth, 1, code, even=("width", "height")) for depth in (1, 2)}


# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_RGGB, _BGGR = _bayer(cv2.COLOR_BayerBG2BGR), _bayer(cv2.COLOR_BayerRG2BGR)
_GBRG, _GRBG = _bayer(cv2.COLOR_BayerGR2BGR), _bayer(cv2.COLOR_BayerGB2BGR)
_UYVY = _Encoding("bgr", 1, 2, cv2.COLOR_YUV2BGR_UYVY, even=("width",))
_YUYV = _Encoding("bgr", 1, 2, cv2.COLOR_YUV2BGR_YUY2, even=("width",))

#: Encoding name in sensor_msgs/Image -> conversion.
ENCODINGS: dict[str, _Encoding] = {
    # Views into the message, without a copy.
    "mono8": _Encoding("mono"),
    "8UC1": _Encoding("mono"),
    "bgr8": _Encoding("bgr", 1, 3),
    "8UC3": _Encoding("bgr", 1, 3),
    "rgb8": _Encoding("rgb", 1, 3),
    # The fourth channel is dropped.
    "bgra8": _Encoding("bgr", 1, 4, cv2.COLOR_BGRA2BGR),
    "8UC4": _Encoding("bgr", 1, 4, cv2.COLOR_BGRA2BGR),
    "rgba8": _Encoding("bgr", 1, 4, cv2.COLOR_RGBA2BGR),
    # 16 bits per sample in either byte order: the eight highest used bits are kept.
    "mono16": _Encoding("mono", 2),
    "16UC1": _Encoding("mono", 2),
    "bgr16": _Encoding("bgr", 2, 3),
    "16UC3": _Encoding("bgr", 2, 3),
    "rgb16": _Encoding("rgb", 2, 3),
    "bgra16": _Encoding("bgr", 2, 4, cv2.COLOR_BGRA2BGR),
    "rgba16": _Encoding("bgr", 2, 4, cv2.COLOR_RGBA2BGR),
    # YUV 4:2:2 in one plane; "yuv422" is the older name of UYVY, "yuv422_yuy2" of YUYV.
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    # YUV 4:2:0: height rows of Y, then height / 2 rows of interleaved U and V.
    "nv12": _Encoding("bgr", 1, 1, cv2.COLOR_YUV2BGR_NV12, 3, ("width", "height")),
    "nv21": _Encoding("bgr", 1, 1, cv2.COLOR_YUV2BGR_NV21, 3, ("width", "height")),
    # Raw sensor mosaics.
    "bayer_rggb8": _RGGB[1],
    "bayer_bggr8": _BGGR[1],
    "bayer_gbrg8": _GBRG[1],
    "bayer_grbg8": _GRBG[1],
    "bayer_rggb16": _RGGB[2],
    "bayer_bggr16": _BGGR[2],
    "bayer_gbrg16": _GBRG[2],
    "bayer_grbg16": _GRBG[2],
}


def decode_raw(
    data: Buffer, width: int, height: int, step: int, encoding: str, is_bigendian: bool = False
) -> Image:
    """Decode a sensor_msgs/Image, whose fields are the arguments; ``step`` is in bytes.

    mono8, 8UC1, bgr8, 8UC3 and rgb8 become views into ``data``, with padded rows or not; the other
    ENCODINGS are converted. Raises ImageError if the fields contradict each other or the encoding
    is unknown.
    """
    how = _look_up(encoding)
    _check_size(width, height, encoding, how)
    row_bytes = width * how.channels * how.depth
    if step < row_bytes:
        raise ImageError(
            "step",
            f"image step is {step} bytes, but {width} pixels of {encoding} need {row_bytes}: "
            "the driver sets a wrong step, width or encoding",
        )
    rows = height * how.rows // 2
    flat = np.frombuffer(data, np.uint8)
    if flat.size != step * rows:
        raise ImageError(
            "data_length",
            f"image data holds {flat.size} bytes, but step {step} x {rows} rows of "
            f"{encoding} are {step * rows}: the driver sets a wrong step, height or data",
        )
    used = flat.reshape(rows, step)[:, :row_bytes]
    samples = used if how.depth == 1 else to_8bit(_sixteen_bits(used, is_bigendian))
    if how.channels > 1:
        samples = samples.reshape(rows, width, how.channels)
    if how.code is not None:
        samples = np.asarray(cv2.cvtColor(samples, how.code), np.uint8)
    image = Image(samples, how.order)
    image.warning = _raw_warning(image, encoding, step - row_bytes, how.depth, is_bigendian)
    return image


def decode_compressed(
    data: Buffer, format: str = "", *, reduction: int = 1, gray: bool = False
) -> Image:
    """Decode a sensor_msgs/CompressedImage: JPEG, PNG or WebP, 8 or 16 bits, grey or colour.

    An orientation in the file is ignored, because camera_info ignores it too.

    Args:
        data: the bytes, which determine the format.
        format: used in error messages only, because transports disagree on its content.
        reduction: factor, of REDUCTIONS, by which to shrink a JPEG while decoding it. This and
            ``gray`` save most of the time; other formats ignore both.
        gray: whether to skip the colours of a JPEG.

    Raises:
        ImageError: if the data is no image, is truncated, or holds more than
            MAX_COMPRESSED_PIXELS.
    """
    raw = bytes(data)
    if not has_known_signature(raw):
        raise ImageError(
            "not_an_image",
            f"compressed image (format '{format}', {len(raw)} bytes) is neither JPEG, PNG nor "
            "WebP: publish one of these",
        )
    size = image_size(raw)
    if size is None:
        raise ImageError(
            "cut_short",
            f"compressed image (format '{format}') is cut short or damaged: its end "
            f"is missing after {len(raw)} bytes",
        )
    if size[0] * size[1] > MAX_COMPRESSED_PIXELS:
        raise ImageError(
            "too_large", f"compressed image of {size[0]}x{size[1]} is too large to be decoded"
        )
    if not raw.startswith(JPEG_MAGIC):
        reduction, gray = 1, False
    warnings: list[str] = []
    flags = _REDUCED[reduction][gray] | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = decode_pixels(raw, flags, warnings)
    if pixels is None:
        because = f": {warnings[0]}" if warnings else ""
        raise ImageError(
            "not_an_image",
            f"compressed image (format '{format}') is damaged and does not decode{because}",
        )
    image = Image(to_8bit(pixels), "mono" if pixels.ndim == 2 else "bgr")
    if reduction > 1:
        image.reduction, image.full_size = reduction, size
    if warnings:
        image.warning = ImageError("damaged", f"compressed image is damaged: {warnings[0]}")
    elif pixels.dtype == np.uint16:
        image.warning = ImageError(
            "sixteen_bit", "a PNG of 16 bits is reduced to 8 bits per sample"
        )
    else:
        image.warning = _size_warning(image)
    return image


def to_8bit(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the eight highest used bits of 16-bit samples; 8-bit samples unchanged.

    Cameras of 10, 12 or 14 bits leave the high bits empty, so the shift follows the largest
    value. The model normalises each crop, so the shift does not matter to it.
    """
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8)
    shift = max(int(samples.max()).bit_length() - 8, 0)
    return (samples >> shift).astype(np.uint8)


def decode_pixels(raw: bytes, flags: int, warnings: list[str] | None = None) -> NDArray[Any] | None:
    """Return the samples of 8 or 16 bits in a file's bytes, or None where there are none.

    Args:
        raw: the bytes.
        flags: of cv2.imdecode.
        warnings: receives what the decoder prints, which goes nowhere else.
    """
    try:
        with decoder_log() as lines:
            pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), flags)
    except cv2.error:
        return None
    finally:
        if warnings is not None:
            warnings += lines
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        return None
    return np.asarray(pixels)


def _look_up(encoding: str) -> _Encoding:
    how = ENCODINGS.get(encoding)
    if how is not None:
        return how
    kind = "a float encoding" if encoding.startswith(("32F", "64F")) else "unknown"
    raise ImageError(
        "encoding",
        f"image encoding '{encoding}' is {kind}: publish one of {', '.join(ENCODINGS)}",
    )


def _check_size(width: int, height: int, encoding: str, how: _Encoding) -> None:
    if width <= 0 or height <= 0:
        raise ImageError("zero_size", f"image of {width}x{height} pixels is empty")
    sides = {"width": width, "height": height}
    for name in how.even:
        if sides[name] % 2:
            raise ImageError(
                "odd_size", f"image {name} is {sides[name]}, but {encoding} comes in pairs"
            )


def _sixteen_bits(rows: NDArray[np.uint8], is_bigendian: bool) -> NDArray[np.uint16]:
    samples: NDArray[np.uint16] = np.ascontiguousarray(rows).view(">u2" if is_bigendian else "<u2")
    return samples


def _raw_warning(
    image: Image, encoding: str, padding: int, depth: int, is_bigendian: bool
) -> ImageError | None:
    if depth == 2:
        return ImageError("sixteen_bit", f"{encoding} is reduced to 8 bits per sample")
    if is_bigendian:
        return ImageError(
            "big_endian", f"is_bigendian is set but has no meaning for {encoding}: ignored"
        )
    if padding:
        return ImageError("padded_rows", f"image rows end in {padding} bytes of padding: ignored")
    return _size_warning(image)


def _size_warning(image: Image) -> ImageError | None:
    size = f"{image.width}x{image.height}"
    if min(image.width, image.height) < TINY_SIDE:
        return ImageError("tiny_image", f"image of {size} is too small to hold a face")
    if image.width * image.height > HUGE_PIXELS:
        return ImageError(
            "huge_image", f"image of {size} is searched at reduced size: lower the resolution"
        )
    return None
