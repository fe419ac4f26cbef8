"""The data set of a study, and what ``edan explain --mean`` writes: tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.datasets import DataError, DatasetSpec, FaceSet, parse_dataset, read
from edan_ros.engines import Engine, Manifest
from edan_ros.explain.study import Averaged, Study
from edan_ros.explain.study_figures import draw_curves, draw_mean_maps
from edan_ros.explain.study_tables import markdown

TABLES, CURVES = "mean_maps.md", "curves.svg"


@dataclass(frozen=True)
class StudyReport:
    """The files of a study by name: texts, Markdown and SVG, and (H, W, 3) BGR figures."""

    texts: dict[str, str]
    figures: dict[str, NDArray[np.uint8]]


def find_dataset(text: str) -> DatasetSpec:
    """Return the data set that a user names.

    Args:
        text: ``LAYOUT=PATH``, or the path of a folder with one folder of images per emotion.

    Raises:
        DataError: if there is no such folder or layout.
    """
    path = Path(text)
    if path.is_dir():
        return DatasetSpec("folder", path.name, path)
    if "=" not in text:
        raise DataError(
            f"there is no folder {text}: give one with a folder of images for each emotion, or "
            f"LAYOUT=PATH, such as fer2013={text}"
        )
    return parse_dataset(text)


def read_labelled(spec: DatasetSpec) -> FaceSet:
    """Read a data set. Raises DataError if it cannot be read or has no emotion labels."""
    faces = read(spec.layout, spec.path, **spec.options)
    if not any(sample.emotion is not None for sample in faces.samples):
        raise DataError(f"{spec.path} has no image with an emotion label")
    return faces


def averaged_grad_cam(engine: Engine) -> Averaged | None:
    """Return Grad-CAM with averaged gradients.

    None without the onnx library, and for a quantised model, whose weights it cannot read.
    """
    from edan_ros.explain.grad_cam import AveragedGradCam

    if engine.manifest.precision == "int8":
        return None
    try:
        return AveragedGradCam(engine.manifest).maps
    except ModuleNotFoundError:
        return None


def create_report(study: Study, spec: DatasetSpec, faces: FaceSet, model: Manifest) -> StudyReport:
    """Return the tables and figures of a study. Raises DataError if no face was explained."""
    if not study.faces:
        raise DataError(f"the model predicts the labelled emotion for no face of {spec.path}")
    title = (
        f"# Mean maps: {spec.name}, {faces.about}; {model.name} {model.version}, "
        f"sha256 {model.sha256[:12]}\n\n"
    )
    return StudyReport(
        {TABLES: title + markdown(study), CURVES: draw_curves(study)},
        {f"mean_{method}.png": draw_mean_maps(study, method) for method in study.methods},
    )
