"""Camera intrinsics from a calibration file, or from the field of view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import CAMERA_MODELS, CameraModelError, fit_camera
from edan_ros.sources.base import SourceError


def load_calibration(path: str | Path) -> CameraModel:
    """Read the YAML that camera_calibration writes (the format of camera_info_manager).

    Raises SourceError where the file cannot be read or is not of that format.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"the calibration {path} cannot be read: {error}") from error
    try:
        model = str(content.get("distortion_model", "plumb_bob"))
        K = _matrix(content["camera_matrix"]).reshape(3, 3)
        D = _matrix(content["distortion_coefficients"])
        size = int(content["image_width"]), int(content["image_height"])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is no calibration in the format of camera_calibration: {error!r}"
        ) from error
    if model not in CAMERA_MODELS:
        raise SourceError(
            f"{path} has the distortion model '{model}', known: {', '.join(CAMERA_MODELS)}"
        )
    if not (K[0, 0] > 0 and K[1, 1] > 0 and min(size) > 0):
        raise SourceError(f"{path}: image size and focal lengths must be positive")
    camera = CameraModel(*size, K, D, model)
    try:
        return fit_camera(camera, *size)
    except CameraModelError as error:
        raise SourceError(f"{path}: {error}") from error


def _matrix(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.array(entry["data"], np.float64).ravel()


def from_field_of_view(width: int, height: int, degrees: float) -> CameraModel:
    """Return an ideal pinhole camera of ``width`` x ``height`` pixels.

    The focal length in pixels is (width / 2) / tan(view / 2). degrees: horizontal field
    of view, above 0, below 180.
    """
    focal = 0.5 * width / math.tan(math.radians(degrees) / 2.0)
    # Pixel centres lie at integers, so the image centre is at (width - 1) / 2.
    K = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return CameraModel(width, height, K, np.zeros(5))
