"""Makes small videos, images and bags for the tests of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 1000)


def corner_picture(width: int = 64, height: int = 48, level: int = 0) -> NDArray[np.uint8]:
    """Grey of the given level with a white square in the upper left corner."""
    pixels = np.full((height, width, 3), level, np.uint8)
    pixels[: height // 3, : width // 3] = 255
    return pixels


def write_video(
    path: Path,
    times_ms: Sequence[int],
    *,
    size: tuple[int, int] = (64, 48),
    rotation: int = 0,
    mirrored: tuple[bool, bool] = (False, False),
    pixel_aspect: Fraction | None = None,
    cover: bool = False,
) -> Path:
    """A video of corner images, ever brighter, shown at these milliseconds.

    rotation: degrees counter-clockwise by which a player is to turn it. mirrored: across and
    upside down, after that. pixel_aspect: width of a pixel over its height. cover: a square red
    picture is attached before the video.
    """
    with av.open(str(path), "w") as container:
        attached = container.add_stream("mjpeg", rate=1) if cover else None
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if any(mirrored):
            stream.set_display_rotation(rotation, *mirrored)
        elif rotation:
            stream.set_display_rotation(rotation)
        if attached is not None:
            attach_cover(container, attached)
        for number, time in enumerate(times_ms):
            image = corner_picture(*size, level=5 * number % 150)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def attach_cover(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
    """Write one red image of 96x96 as the cover of a file."""
    stream.disposition = av.stream.Disposition.attached_pic
    stream.width = stream.height = 96
    stream.pix_fmt = "yuvj420p"
    red = np.full((96, 96, 3), (0, 0, 255), np.uint8)
    frame = av.VideoFrame.from_ndarray(red, format="bgr24").reformat(format="yuvj420p")
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def bright_corner(pixels: NDArray[np.uint8]) -> tuple[str, str]:
    """Where the white square is: ("top" or "bottom", "left" or "right")."""
    half = pixels.shape[0] // 2, pixels.shape[1] // 2
    rows, columns = np.nonzero(pixels.max(axis=2) > 200)
    return (
        "top" if rows.mean() < half[0] else "bottom",
        "left" if columns.mean() < half[1] else "right",
    )
