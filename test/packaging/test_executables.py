"""The executables of `ros2 run`: exactly one for each node that can be a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_imports import ROOT, imports_of

EXECUTABLES = sorted((ROOT / "scripts" / "executables").iterdir())
#: Name of a node that can be a process -> its module.
NODES = {
    path.stem: ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "edan_ros" / "nodes").rglob("*_node.py")
    if "\ndef main(" in path.read_text()
}


def test_every_node_has_an_executable() -> None:
    assert NODES
    assert {path.name for path in EXECUTABLES} == NODES.keys() | {"edan"}


@pytest.mark.parametrize("path", EXECUTABLES, ids=lambda path: path.name)
def test_an_executable_starts_the_node_of_its_name(path: Path) -> None:
    module = {**NODES, "edan": "edan_ros.cli.main"}[path.name]
    assert f"{module}.main" in {found.module for found in imports_of(path)}
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_edan_runs_without_activating_the_environment(tmp_path: Path) -> None:
    """Run it by its path, with no variable set but PATH."""
    command = [str(Path(sys.executable).parent / "edan"), "--version"]
    if not Path(command[0]).exists():
        pytest.skip("edan_ros is not installed by pip here")
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("edan ")
