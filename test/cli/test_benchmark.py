"""`edan benchmark`: sections, files, and what is said when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edan_ros.cli import benchmark
from edan_ros.cli.main import main

pytest.importorskip("skimage", reason="the photographs are scikit-image's (extra demo)")


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    effort = benchmark._Effort(*(0.01,) * 4, (1,), ("vga",), (1,), 1)
    monkeypatch.setattr(benchmark, "_QUICK", effort)


def test_the_requested_sections_are_measured_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "run.json"
    only = ["--only", "model", "pipeline", "--model", "edan-lite", "--threads", "1"]
    assert main(["benchmark", "--quick", *only, "--json", str(target)]) == 0
    found = json.loads(target.read_text())
    ran = {row["engine"]: row for row in found["model"]}
    assert ran["onnxruntime"]["model"] == "edan-lite"
    assert ran["onnxruntime"]["floor_ratio"] > 0.3
    assert found["machine"]["threads"] == 1
    assert [row["faces_found"] for row in found["pipeline"]] == [1.0]
    assert found["ros"] == []
    output = capsys.readouterr().out
    assert "Models alone" in output
    assert str(target) in output


def test_a_missing_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--quick", "--only", "model", "--model", "nobody"]) != 0
    assert "no model is called 'nobody'" in capsys.readouterr().err


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
