"""Write changed pixels back into image messages, in the encoding that they came in."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import ENCODINGS, ImageError
from edan_ros.core.images.compressed import JPEG_MAGIC
from edan_ros.core.images.sixteen_bit import SixteenBitScaler

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Channel (of B, G, R) of each of the four pixels of a Bayer pattern, by rows.
_CHANNELS = {"r": 2, "g": 1, "b": 0}
#: Bytes of Y at every second pixel, of U and of V in four bytes of a 4:2:2 encoding.
_PACKED = {"yuv422": (1, 0, 2), "uyvy": (1, 0, 2), "yuv422_yuy2": (0, 1, 3), "yuyv": (0, 1, 3)}
#: Sum of the luminance quantisation table at quality 50 (ITU-T T.81, K.1).
_TABLE_SUM = 3688


def replaced_data(
    message: Any, pixels: Pixels, mask: Mask, scaler: SixteenBitScaler
) -> NDArray[np.uint8]:
    """Return the data of an Image or CompressedImage with the masked pixels replaced.

    Raw images keep their encoding, byte order and padding, and all other bytes; where pixels share
    their colour, the whole group is replaced. Compressed ones are encoded again, in their format
    and, for JPEG, about their quality.

    Args:
        message: the message.
        pixels: (height, width, 3) BGR.
        mask: (height, width).
        scaler: that with which this message was decoded, for 16 bits.

    Raises ImageError where the format cannot be written.
    """
    if not hasattr(message, "encoding"):
        return _compressed(bytes(message.data), pixels, mask, scaler)
    return _raw(message, pixels, mask, scaler)


def _raw(message: Any, pixels: Pixels, mask: Mask, scaler: SixteenBitScaler) -> Pixels:
    encoding, layout = message.encoding, ENCODINGS[message.encoding]
    data = np.array(np.frombuffer(message.data, np.uint8))
    rows = data.reshape(message.height * layout.rows // 2, message.step)
    used = rows[:, : message.width * layout.channels * layout.depth]
    if encoding in _PACKED:
        _write_packed(used, pixels, mask, _PACKED[encoding])
    elif encoding in ("nv12", "nv21"):
        _write_planar(used, pixels, mask, swapped=encoding == "nv21")
    else:
        new = _samples(encoding, layout.order, layout.channels, pixels)
        hidden = mask if new.ndim == 2 else mask[..., None] & (np.arange(new.shape[2]) < 3)
        if layout.depth == 2:
            order = ">u2" if message.is_bigendian else "<u2"
            new = scaler.expand(new).astype(order).view(np.uint8)
            hidden = np.repeat(hidden, 2, axis=-1)
        new, hidden = new.reshape(used.shape), hidden.reshape(used.shape)
        used[hidden] = new[hidden]
    return data


def _samples(encoding: str, order: str, channels: int, pixels: Pixels) -> Pixels:
    """Return the 8-bit samples of an encoding without subsampling."""
    if encoding.startswith("bayer_"):
        pattern = encoding[6:10]
        mosaic = np.empty(pixels.shape[:2], np.uint8)
        for i, colour in enumerate(pattern):
            part = np.s_[i // 2 :: 2, i % 2 :: 2]
            mosaic[part] = pixels[..., _CHANNELS[colour]][part]
        return mosaic
    if order == "mono":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    if encoding.startswith("rgb"):
        pixels = pixels[..., ::-1]
    if channels == 4:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return np.ascontiguousarray(pixels)


def _yuv(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Return Y, and U and V at half the size, of an image with sides rounded up to even ones."""
    height, width = pixels.shape[:2]
    padded = cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    height, width = padded.shape[:2]
    flat = np.asarray(cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420), np.uint8).ravel()
    half = height // 2, width // 2
    u, v = flat[height * width :].reshape(2, *half)
    return flat[: height * width].reshape(height, width), u, v


def _write_packed(used: Pixels, pixels: Pixels, mask: Mask, at: tuple[int, int, int]) -> None:
    luma, u, v = _yuv(pixels)
    height = pixels.shape[0]
    pairs = mask[:, ::2] | mask[:, 1::2]
    groups = used.reshape(height, -1, 4)
    first, blue, red = at
    planes = {first: luma[:height, ::2], first + 2: luma[:height, 1::2]}
    planes |= {blue: np.repeat(u, 2, axis=0)[:height], red: np.repeat(v, 2, axis=0)[:height]}
    for byte, plane in planes.items():
        groups[..., byte][pairs] = plane[pairs]


def _write_planar(used: Pixels, pixels: Pixels, mask: Mask, *, swapped: bool) -> None:
    luma, u, v = _yuv(pixels)
    height = pixels.shape[0]
    blocks = mask[::2, ::2] | mask[::2, 1::2] | mask[1::2, ::2] | mask[1::2, 1::2]
    whole = np.repeat(np.repeat(blocks, 2, axis=0), 2, axis=1)
    used[:height][whole] = luma[whole]
    chroma = used[height:].reshape(*blocks.shape, 2)
    chroma[blocks] = np.dstack([v, u] if swapped else [u, v])[blocks]


def _compressed(data: bytes, pixels: Pixels, mask: Mask, scaler: SixteenBitScaler) -> Pixels:
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    image: NDArray[Any] = np.array(cv2.imdecode(np.frombuffer(data, np.uint8), flags))
    new: NDArray[Any] = pixels
    if image.ndim == 2:
        new = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    if image.dtype == np.uint16:
        new = scaler.expand(np.asarray(new, np.uint8))
    image[mask] = new[mask]
    suffix, options = ".png", []
    if data.startswith(JPEG_MAGIC):
        suffix, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality(data)]
    elif data[8:12] == b"WEBP":
        lossless = b"VP8L" in data[12:64]
        suffix, options = ".webp", [cv2.IMWRITE_WEBP_QUALITY, 101 if lossless else 90]
    done, encoded = cv2.imencode(suffix, image, options)
    if not done:
        raise ImageError("encoding", f"this OpenCV cannot write {suffix} images")
    return np.asarray(encoded, np.uint8).ravel()


def jpeg_quality(data: bytes) -> int:
    """Return the quality, 1 to 100, whose luminance table comes nearest to that of a JPEG."""
    start = data.find(b"\xff\xdb")
    table = data[start + 5 : start + 69]
    if start < 0 or data[start + 4] >> 4 or len(table) < 64:
        return 95
    scale = 100.0 * sum(table) / _TABLE_SUM
    quality = 5000.0 / scale if scale > 100.0 else (200.0 - scale) / 2.0
    return min(max(round(quality), 1), 100)
