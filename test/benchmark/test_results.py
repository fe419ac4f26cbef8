"""The JSON file of a benchmark agrees with docs/reference/benchmark.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

from results_of_a_run import make_results

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmark.md"
#: Dictionaries whose keys depend on the machine: libraries, stages, packages.
OPEN = {"machine.gemm_by", "pipeline[].ms", "ros[].ms", "versions"}


def keys(value: object, name: str = "") -> set[str]:
    """Return all nested keys, written like machine.cores and model[].batch."""
    if isinstance(value, list):
        return set().union(*(keys(item, f"{name}[]") for item in value))
    if not isinstance(value, dict) or name in OPEN:
        return {name}
    return set().union(
        *(keys(item, f"{name}.{key}" if name else key) for key, item in value.items())
    )


def test_exactly_the_written_keys_are_documented(tmp_path: Path) -> None:
    """The table of the page has one row per key, with its name in the first column."""
    make_results().save(tmp_path / "run.json")
    written = keys(json.loads((tmp_path / "run.json").read_text()))
    documented = set(re.findall(r"^\| `([\w.\[\]]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert written == documented


def test_the_file_contains_the_results(tmp_path: Path) -> None:
    make_results().save(tmp_path / "run.json")
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["schema"] == 1
    assert found["machine"]["gemm_gflops_fp32"] == 200.0
    assert [row["floor_ratio"] for row in found["model"]] == [1.302, 1.183, None]
    assert found["ros"][0]["p99_ms"] == 22.0
    assert (found["memory_mb"], found["startup_s"]) == (337.5, 0.75)
