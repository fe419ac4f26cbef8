"""Images: raw and compressed messages and files decoded within limits, turned upright."""

from edan_ros.core.images.image import (
    ENCODINGS,
    REDUCTIONS,
    Image,
    ImageError,
    decode_compressed,
    decode_file,
    decode_raw,
)

__all__ = [
    "ENCODINGS",
    "REDUCTIONS",
    "Image",
    "ImageError",
    "decode_compressed",
    "decode_file",
    "decode_raw",
]
