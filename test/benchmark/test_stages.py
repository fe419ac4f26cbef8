"""The pipeline is measured on images in which every face is found."""

from __future__ import annotations

import pytest

from edan_ros.benchmark.stages import measure_pipeline

pytest.importorskip("skimage", reason="the photographs are scikit-image's (extra demo)")
pytest.importorskip("matplotlib", reason="the photographs are matplotlib's (extra demo)")


def test_stages_add_up_to_the_time_of_an_image() -> None:
    (row,) = measure_pipeline("edan-lite", 1, 0.3, ["vga"], [2])
    assert (row.resolution, row.faces, row.faces_found) == ("vga", 2, 2.0)
    assert set(row.ms) == {"decode", "detect", "crop", "infer", "track", "smooth"}
    assert row.ms["infer"] > row.ms["crop"]
    assert sum(row.ms.values()) <= 1e3 / row.fps
