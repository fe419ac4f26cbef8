"""Decoding of ROS image messages: every encoding, with an error for each kind of malformed one.

Common encodings stay views into the message; grey levels are computed for requested regions only.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images.compressed import JPEG_MAGIC, find_parser, has_stray_marker
from edan_ros.core.images.decoder_log import decoder_log
from edan_ros.core.images.exif import turn_upright
from edan_ros.core.images.file_formats import FILE_FORMATS, find_file_parser, parse_tiff
from edan_ros.core.images.sixteen_bit import SixteenBitScaler, to_8bit
from edan_ros.core.images.still_image import (
    DEFAULT_LIMITS,
    FILE_LIMITS,
    DecodeLimits,
    FormatError,
    StillImage,
)

#: Anything with the buffer protocol, such as the data of a message.
Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]"
#: x0, y0, x1, y1 in pixels; x1 and y1 are excluded.
Region = tuple[int, int, int, int]

#: Smallest side in pixels that can hold a face; smaller images are accepted with a warning.
TINY_SIDE = 16
#: Number of pixels above which more resolution does not help; accepted with a warning.
HUGE_PIXELS = 16_000_000
#: Level of the pixels that libjpeg could not decode.
_UNDECODED = 128

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
            odd_size, not_an_image, animated, cut_short or too_large; dtype or shape for an array.
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
    # 16 bits per sample in either byte order, reduced to the levels in use (``sixteen_bit``).
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
    data: Buffer,
    width: int,
    height: int,
    step: int,
    encoding: str,
    is_bigendian: bool = False,
    *,
    limits: DecodeLimits = DEFAULT_LIMITS,
    scaler: SixteenBitScaler | None = None,
) -> Image:
    """Decode a sensor_msgs/Image, whose fields are the arguments; ``step`` is in bytes.

    mono8, 8UC1, bgr8, 8UC3 and rgb8 become views into ``data``, with padded rows or not; the other
    ENCODINGS are converted.

    Args:
        data, width, height, step, encoding, is_bigendian: fields of the message.
        limits: ``max_image_bytes`` holds for the data and the converted image together.
        scaler: that of the camera, for 16-bit images of a sequence.

    Raises:
        ImageError: if the fields contradict each other, the encoding is unknown, or the image
            exceeds a limit.
    """
    layout = _look_up(encoding)
    _check_size(width, height, encoding, layout)
    row_bytes = width * layout.channels * layout.depth
    if step < row_bytes:
        raise ImageError(
            "step",
            f"image step is {step} bytes, but {width} pixels of {encoding} need {row_bytes}: "
            "the driver sets a wrong step, width or encoding",
        )
    rows = height * layout.rows // 2
    flat = np.frombuffer(data, np.uint8)
    if flat.size != step * rows:
        raise ImageError(
            "data_length",
            f"image data holds {flat.size} bytes, but step {step} x {rows} rows of "
            f"{encoding} are {step * rows}: the driver sets a wrong step, height or data",
        )
    _check_memory(flat.size, width, height, layout, limits)
    used = flat.reshape(rows, step)[:, :row_bytes]
    samples = used if layout.depth == 1 else _sixteen_bits(used, is_bigendian)
    if layout.channels > 1:
        samples = samples.reshape(rows, width, layout.channels)
    pixels = to_8bit(samples, scaler)
    if layout.code is not None:
        pixels = np.asarray(cv2.cvtColor(pixels, layout.code), np.uint8)
    image = Image(pixels, layout.order)
    image.warning = _raw_warning(image, encoding, step - row_bytes, layout.depth, is_bigendian)
    return image


def decode_compressed(
    data: Buffer,
    format: str = "",
    *,
    reduction: int = 1,
    gray: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
    scaler: SixteenBitScaler | None = None,
) -> Image:
    """Decode a sensor_msgs/CompressedImage: JPEG, PNG or WebP, 8 or 16 bits, grey or colour.

    An orientation in the file is ignored, because camera_info ignores it too. Of an animated PNG
    the default image is decoded.

    Args:
        data: the bytes, which determine the format.
        format: used in error messages only, because transports disagree on its content.
        reduction: factor, of REDUCTIONS, by which to shrink a JPEG while decoding it. This and
            ``gray`` save most of the time; other formats ignore both.
        gray: whether to skip the colours of a JPEG.
        limits: what decoding may take.
        scaler: that of the camera, for 16-bit images of a sequence.

    Raises:
        ImageError: if the data is no image, is truncated, is an animated WebP, or exceeds a limit.
    """
    raw = bytes(data)
    name = f"compressed image (format '{format}')"
    parse = find_parser(raw)
    if parse is None:
        raise ImageError(
            "not_an_image",
            f"compressed image (format '{format}', {len(raw)} bytes) is neither JPEG, PNG nor "
            "WebP: publish one of these",
        )
    if not raw.startswith(JPEG_MAGIC):
        reduction, gray = 1, False
    flags = _REDUCED[reduction][gray] | cv2.IMREAD_IGNORE_ORIENTATION
    still, pixels, warning = _decode(raw, parse, flags, name, limits)
    image = Image(to_8bit(pixels, scaler), "mono" if pixels.ndim == 2 else "bgr")
    if reduction > 1:
        image.reduction, image.full_size = reduction, (still.width, still.height)
    image.warning = _compressed_warning(image, pixels, warning)
    return image


def decode_file(data: bytes, name: str, *, limits: DecodeLimits = FILE_LIMITS) -> Image:
    """Decode the bytes of an image file, upright: JPEG, PNG, WebP, TIFF, BMP or Netpbm.

    An alpha channel is dropped. Of an animated PNG the default image is decoded, of a TIFF the
    first page.

    Args:
        data: the bytes, which determine the format.
        name: of the file, for error messages.
        limits: what decoding may take.

    Raises:
        ImageError: if the data is no image of 8 or 16 bits, is truncated, is an animated WebP, or
            exceeds a limit.
    """
    if not data:
        raise ImageError("not_an_image", f"{name} is empty, not an image: copy it again")
    parse = find_file_parser(data)
    if parse is None:
        raise ImageError("not_an_image", f"{name} is not an image in {FILE_FORMATS}: convert it")
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    if parse is not parse_tiff:  # whose orientation OpenCV applies as part of its decoding
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    still, pixels, warning = _decode(data, parse, flags, name, limits)
    upright = turn_upright(to_8bit(pixels), still.orientation)
    image = Image(upright, "mono" if pixels.ndim == 2 else "bgr")
    image.warning = _compressed_warning(image, pixels, warning)
    return image


def _decode(
    raw: bytes,
    parse: Callable[[bytes], StillImage],
    flags: int,
    name: str,
    limits: DecodeLimits,
) -> tuple[StillImage, NDArray[Any], ImageError | None]:
    """Return the image's structure, its samples of 8 or 16 bits and a warning about damage."""
    try:
        still = parse(raw)
        still.check(limits)
    except FormatError as error:
        raise ImageError(error.reason, f"{name} {error}") from None
    pixels: NDArray[Any] | None = None
    with decoder_log() as lines, suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(still.data, np.uint8), flags)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        because = f": {lines[0]}" if lines else ""
        raise ImageError("not_an_image", f"{name} is damaged and does not decode{because}")
    if _ends_early(still, pixels, lines):
        raise ImageError(
            "cut_short", f"{name} is cut short or damaged: its data end before the image does"
        )
    warning = ImageError("damaged", f"{name} is damaged: {lines[0]}") if lines else None
    return still, np.asarray(pixels), warning


def _ends_early(still: StillImage, pixels: NDArray[Any], lines: list[str]) -> bool:
    """Return whether the data of a JPEG or TIFF were used up before the last pixel.

    Markers inside the data of a baseline JPEG are damage instead: data follow them.
    """
    if any("TIFF_Error" in line for line in lines):  # the rest of a strip is black then
        return True
    if still.entropy is None or not any("remature end" in line for line in lines):
        return False
    undecoded = bool(np.all(pixels[-1, -1] == _UNDECODED))
    return undecoded and (still.scans > 1 or not has_stray_marker(still.data, still.entropy))


def _compressed_warning(
    image: Image, pixels: NDArray[Any], damage: ImageError | None
) -> ImageError | None:
    if damage is not None:
        return damage
    if pixels.dtype == np.uint16:
        return ImageError("sixteen_bit", "an image of 16 bits is reduced to 8 bits per sample")
    return _size_warning(image)


def _look_up(encoding: str) -> _Encoding:
    layout = ENCODINGS.get(encoding)
    if layout is not None:
        return layout
    kind = "a float encoding" if encoding.startswith(("32F", "64F")) else "unknown"
    raise ImageError(
        "encoding",
        f"image encoding '{encoding}' is {kind}: publish one of {', '.join(ENCODINGS)}",
    )


def _check_size(width: int, height: int, encoding: str, layout: _Encoding) -> None:
    if width <= 0 or height <= 0:
        raise ImageError("zero_size", f"image of {width}x{height} pixels is empty")
    sides = {"width": width, "height": height}
    for name in layout.even:
        if sides[name] % 2:
            raise ImageError(
                "odd_size", f"image {name} is {sides[name]}, but {encoding} comes in pairs"
            )


def _check_memory(
    size: int, width: int, height: int, layout: _Encoding, limits: DecodeLimits
) -> None:
    converted = width * height * 3 if layout.code is not None else 0
    if layout.depth == 2:
        converted += width * height * layout.channels
    if size + converted > limits.max_image_bytes:
        raise ImageError(
            "too_large",
            f"image of {width}x{height} takes {(size + converted) / 1e6:.0f} MB, more than "
            f"max_image_bytes, {limits.max_image_bytes / 1e6:.0f} MB: lower the resolution or "
            "raise the limit",
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
