"""The tables and the roofline plot of `edan benchmark`."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from results_of_a_run import make_results
from rich.console import Console

from edan_ros.benchmark.report import save_roofline, tables
from edan_ros.benchmark.results import Results


def printed(results: Results) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(tables(results))
    return console.file.getvalue()


def test_every_section_is_a_table_of_at_most_80_columns() -> None:
    text = printed(make_results())
    assert "…" not in text
    assert "200 GFLOP/s FP32 (numpy 200, torch 150)" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    rows = [line.split() for line in text.splitlines()]
    assert ["edan-lite", "onnxruntime", "cpu", "fp32", "1", "5.50", "182", "1.30"] in rows
    assert ["edan-lite", "tensorrt", "cuda", "fp16", "1", "0.40", "2500", "-"] in rows
    # The last figure, time without the model, is 0.02 + 0.4.
    numbers = ["119.9", "11.5", "16.2", "22.0", "0.3", "2", "57", "0.4"]
    assert ["vga", "1", "4", "x", "30", *numbers] in rows
    assert lines["memory"][1:3] == ["337.5", "MB"]
    assert "300.5 MB after the first, then at most 301.25 MB" in text
    assert "without shared memory 220.5 and 220.75 MB" in " ".join(text.split())


def test_sections_without_results_are_not_shown() -> None:
    text = printed(Results(make_results().machine))
    assert "matrix product" in text
    assert "Models" not in text
    assert "Emotion node" not in text


def test_the_roofline_shows_models_on_the_processor(tmp_path: Path) -> None:
    save_roofline(make_results(), tmp_path / "roof.svg")
    drawn = ElementTree.parse(tmp_path / "roof.svg").getroot()
    texts = [node.text for node in drawn.iter() if node.tag.endswith("text")]
    assert "roof" in texts
    assert "FLOP per byte of weights" in texts
    with pytest.raises(ValueError, match="ran on the processor"):
        save_roofline(Results(make_results().machine), tmp_path / "none.svg")
