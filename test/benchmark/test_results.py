"""The JSON of a run is what docs/performance.md says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from results_of_a_run import made_up

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
#: Keys whose values are named by what was measured: libraries, stages, packages.
OPEN = {"machine.gemm_by", "pipeline[].ms", "ros[].ms", "versions"}


def keys(value: object, name: str = "") -> set[str]:
    """Every key below, written as machine.cores and model[].batch."""
    if isinstance(value, list):
        return set().union(*(keys(item, f"{name}[]") for item in value))
    if not isinstance(value, dict) or name in OPEN:
        return {name}
    return set().union(
        *(keys(item, f"{name}.{key}" if name else key) for key, item in value.items())
    )


def test_every_key_is_documented_and_no_other(tmp_path: Path) -> None:
    """The table of the page has one row a key, with its name in the first column."""
    made_up().save(tmp_path / "run.json")
    written = keys(json.loads((tmp_path / "run.json").read_text()))
    documented = set(re.findall(r"^\| `([\w.\[\]]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert written == documented


def test_the_file_holds_the_figures(tmp_path: Path) -> None:
    made_up().save(tmp_path / "run.json")
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["schema"] == 1
    assert found["machine"]["gemm_gflops_fp32"] == 200.0
    assert [row["floor_ratio"] for row in found["model"]] == [1.302, 1.183, None]
    assert found["ros"][0]["p99_ms"] == 22.0
    assert (found["memory_mb"], found["startup_s"]) == (337.5, 0.75)
