"""The executables of `ros2 run`: one for each node that can be a process, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_imports import ROOT, imports_of

EXECUTABLES = sorted((ROOT / "scripts" / "executables").iterdir())
NODES = {
    path.stem
    for path in (ROOT / "edan_ros" / "nodes").glob("*.py")
    if "\ndef main(" in path.read_text()
}


def test_every_node_has_an_executable() -> None:
    assert {path.name for path in EXECUTABLES} == NODES | {"edan"}


@pytest.mark.parametrize("path", EXECUTABLES, ids=lambda path: path.name)
def test_an_executable_starts_what_it_is_named_after(path: Path) -> None:
    module = "edan_ros.cli.main" if path.name == "edan" else f"edan_ros.nodes.{path.name}"
    assert f"{module}.main" in {found.module for found in imports_of(path)}
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_edan_runs_without_activating_the_environment(tmp_path: Path) -> None:
    """Straight from its folder: nothing is set but what every process has."""
    command = [str(Path(sys.executable).parent / "edan"), "--version"]
    if not Path(command[0]).exists():
        pytest.skip("edan_ros is not installed by pip here")
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("edan ")
