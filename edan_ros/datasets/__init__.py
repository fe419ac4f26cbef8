"""Data sets of faces: each layout on disk read into the same records. NumPy and OpenCV only."""

from __future__ import annotations

from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSample, FaceSet, face_crop
from edan_ros.datasets.layouts import LAYOUTS, DatasetSpec, parse_dataset, read, validation_sets

__all__ = [
    "LAYOUTS",
    "DataError",
    "DatasetSpec",
    "FaceSample",
    "FaceSet",
    "face_crop",
    "parse_dataset",
    "read",
    "validation_sets",
]
