"""The pipeline benchmark finds every face and measures all stages."""

from __future__ import annotations

import pytest

from edan_ros.benchmark.stages import measure_pipeline

pytest.importorskip("skimage", reason="scikit-image (extra demo) provides a photograph")
pytest.importorskip("matplotlib", reason="matplotlib (extra demo) provides a photograph")


def test_stages_sum_to_at_most_the_time_of_an_image() -> None:
    (row,) = measure_pipeline("edan-lite", 1, 0.3, ["vga"], [2])
    assert (row.resolution, row.faces, row.faces_found) == ("vga", 2, 2.0)
    assert set(row.ms) == {"decode", "detect", "crop", "infer", "track", "smooth", "eyes"}
    assert row.ms["infer"] > row.ms["crop"]
    assert sum(row.ms.values()) <= 1e3 / row.fps
