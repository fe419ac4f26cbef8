"""Data sets of faces: readers of their layouts on disk, and the samples they return."""

from __future__ import annotations

from edan_ros.datasets.face_set import FaceSample, FaceSet, face_crop
from edan_ros.datasets.files import DataError
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
