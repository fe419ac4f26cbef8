"""Data sets of faces: each layout on disk read into the same records. NumPy and OpenCV only."""

from __future__ import annotations

from edan_ros.datasets.errors import DataError
from edan_ros.datasets.layouts import LAYOUTS, Source, parse_source, read
from edan_ros.datasets.records import FaceSet, Record, face_crop

__all__ = [
    "LAYOUTS",
    "DataError",
    "FaceSet",
    "Record",
    "Source",
    "face_crop",
    "parse_source",
    "read",
]
