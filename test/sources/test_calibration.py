from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edan_ros.sources import SourceError
from edan_ros.sources.calibration import from_field_of_view, load_calibration

GOOD = """\
image_width: 640
image_height: 480
camera_name: front
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [500.0, 0, 320.5, 0, 501.0, 240.5, 0, 0, 1]}
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [500, 0, 320.5, 0, 0, 501, 240.5, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(GOOD)
    camera = load_calibration(path)
    assert (camera.width, camera.height, camera.model) == (640, 480, "plumb_bob")
    np.testing.assert_array_equal(camera.K, [[500, 0, 320.5], [0, 501, 240.5], [0, 0, 1]])
    np.testing.assert_array_equal(camera.D, [0.1, -0.2, 0.001, 0.002, 0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no calibration"),
        ("[1, 2]", "no calibration"),
        ("{", "cannot be read"),
        ("\x00", "cannot be read"),
        (GOOD.replace("camera_matrix", "matrix"), "no calibration"),
        (GOOD.replace("[500.0, 0,", "[500.0,"), "no calibration"),
        (GOOD.replace("640", "wide"), "no calibration"),
        (GOOD.replace("plumb_bob", "magic"), "distortion model 'magic', known: plumb_bob"),
        (GOOD.replace("[500.0,", "[0.0,"), "must be positive"),
        (GOOD.replace("640", "0"), "must be positive"),
        (GOOD.replace("640", ".inf"), "no calibration"),
        (GOOD.replace("[500.0,", "[.inf,"), "not finite"),
    ],
)
def test_a_bad_calibration_file_is_refused_with_its_fault(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(content)
    with pytest.raises(SourceError, match=message):
        load_calibration(path)


def test_a_missing_calibration_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.yaml cannot be read"):
        load_calibration(tmp_path / "none.yaml")


def test_a_field_of_view_of_90_degrees() -> None:
    camera = from_field_of_view(200, 100, 90.0)
    # tan(45 degrees) is 1: the focal length is half the width, and the edge is at 45 degrees.
    np.testing.assert_allclose(camera.K, [[100, 0, 99.5], [0, 100, 49.5], [0, 0, 1]])
    assert not camera.D.any()
