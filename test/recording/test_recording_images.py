"""Single images, and the errors of those that cannot be written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edan_ros.recording.files import RecordingError, write_image

PIXELS = np.full((12, 16, 3), 90, np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_an_image_is_written_in_the_format_of_its_suffix(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, PIXELS)
    np.testing.assert_allclose(cv2.imread(str(tmp_path / name)), PIXELS, atol=2)


def test_a_failed_write_names_path_and_reason(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"none/a.png cannot be written: No such file"):
        write_image(tmp_path / "none" / "a.png", PIXELS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/dev/full")
    with pytest.raises(RecordingError, match=r"a.png cannot be written: No space left on device"):
        write_image(tmp_path / "a.png", PIXELS)
