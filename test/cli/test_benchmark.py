"""`edan benchmark`: sections, files and error messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edan_ros.cli import benchmark
from edan_ros.cli.main import main

pytest.importorskip("skimage", reason="the photographs are scikit-image's (extra demo)")


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    effort = benchmark.Effort(*(0.01,) * 4, (1,), ("vga",), (1,), 1)
    monkeypatch.setattr(benchmark, "QUICK", effort)


def test_the_requested_sections_are_measured_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "run.json"
    only = ["--only", "model", "pipeline", "--model", "edan-lite", "--threads", "1"]
    assert main(["benchmark", "--quick", *only, "--json", str(target)]) == 0
    found = json.loads(target.read_text())
    row = {row["engine"]: row for row in found["model"]}["onnxruntime"]
    assert row["model"] == "edan-lite"
    # Against the matrix rate of the same run, whatever the machine does besides.
    floor_ms = 1e3 * row["gflop"] / found["machine"]["gemm_gflops_fp32"]
    assert row["floor_ratio"] == pytest.approx(row["ms_per_face"] / floor_ms, rel=0.01, abs=0.001)
    assert row["floor_ratio"] > 0.0
    assert found["machine"]["threads"] == 1
    assert [row["faces_found"] for row in found["pipeline"]] == [1.0]
    assert found["ros"] == []
    output = capsys.readouterr().out
    assert "Models alone" in output
    assert str(target) in output


def test_a_missing_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--quick", "--only", "model", "--model", "missing"]) != 0
    assert "no model is called 'missing'" in capsys.readouterr().err


def test_without_ros_the_nodes_are_skipped_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _hide_ros(monkeypatch)
    target = tmp_path / "run.json"
    assert main(["benchmark", "--quick", "--model", "edan-lite", "--json", str(target)]) == 0
    found = json.loads(target.read_text())
    assert found["model"]
    assert found["pipeline"]
    assert found["ros"] == []
    assert "skipping the section ros, which needs ROS 2" in capsys.readouterr().err


@pytest.mark.parametrize("requested", [["--only", "model", "ros"], ["--soak", "1"]])
def test_without_ros_requested_nodes_end_the_command_before_measuring(
    requested: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _hide_ros(monkeypatch)
    monkeypatch.delattr(benchmark, "measure_machine")
    assert main(["benchmark", "--quick", *requested]) == 1
    assert capsys.readouterr().err.startswith("edan benchmark needs ROS 2: install it")


def _hide_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every import of rclpy fail, also by modules that were imported before."""
    monkeypatch.setitem(sys.modules, "rclpy", None)
    for name in [name for name in sys.modules if name.startswith("edan_ros.nodes")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_file_that_cannot_be_written_is_named_after_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "missing" / "run.json"
    arguments = ["--quick", "--only", "pipeline", "--model", "edan-lite", "--json", str(target)]
    assert main(["benchmark", *arguments]) == 1
    captured = capsys.readouterr()
    assert "Pipeline" in captured.out
    assert f"{target} cannot be written" in captured.err


@pytest.mark.parametrize("wrong", [["--only", "everything"], ["--soak", "0"], ["--threads", "0"]])
def test_wrong_arguments_end_with_code_2(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["benchmark", *wrong])
    assert end.value.code == 2
