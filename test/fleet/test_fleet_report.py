"""The page on a fleet: figures, failures and one row for each recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from edan_ros.fleet.processing import Record
from edan_ros.fleet.report import write_report

pytest.importorskip("jinja2", reason="the extra fleet is not installed")

LABELS = {"happy": 30, "unknown": 50, "sad": 20}
RECORDS = [
    Record("/data/day1/a.mp4", "", "1", "", 50, 40, 100, 3725.0, 3, LABELS, "edan 1.0", 10.0),
    Record("/data/day2/<b>", "/front", "2", error="it is <damaged>"),
    Record("/data/day2/c", "", "3", images=50, model="edan 1.0", notes=["one frame is skipped"]),
]


def page(folder: Path, records: list[Record]) -> str:
    return write_report(folder, records).read_text(encoding="utf-8")


def test_it_has_figures_failures_and_a_row_for_each_recording(tmp_path: Path) -> None:
    text = page(tmp_path, RECORDS)
    for figure in ("2 of 3", "1 h 02 min", "100 images", "in 40 % of the images", ">10/s<"):
        assert figure in text
    assert "happy 30.0 %" in text
    assert "372.5 times real time" in text
    # The most frequent emotion is that of the faces with one.
    assert '<td class="mostly"><i style="background: var(--happy)"></i>happy</td>' in text
    assert "one frame is skipped" in text
    assert '<th scope="row">day2/&lt;b&gt; /front</th><td>it is &lt;damaged&gt;</td>' in text


def test_it_loads_nothing_and_fits_a_narrow_page(tmp_path: Path) -> None:
    text = page(tmp_path, RECORDS)
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in text
    assert text.count('<div class="scroll"><table') == text.count("<table")


@pytest.mark.parametrize("records", [RECORDS[:1], RECORDS[1:2]])
def test_a_fleet_of_one_recording_has_a_page(tmp_path: Path, records: list[Record]) -> None:
    assert "<h1>1 recording</h1>" in page(tmp_path, records)
