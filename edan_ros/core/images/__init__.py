"""Images: raw and compressed messages and files decoded within limits, turned upright."""

from edan_ros.core.images.image import (
    REDUCTIONS,
    Image,
    ImageError,
    decode_compressed,
    decode_file,
    decode_raw,
)

__all__ = [
    "REDUCTIONS",
    "Image",
    "ImageError",
    "decode_compressed",
    "decode_file",
    "decode_raw",
]
