"""Which tests a run leaves out, and the list of them at its end, grouped by reason."""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest

NODES = Path(__file__).resolve().parent / "nodes"
HAS_ROS = find_spec("rclpy") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests of nodes where ROS 2 is not installed: their fixtures import it."""
    return True if collection_path == NODES and not HAS_ROS else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped for each reason, and in which files."""
    files = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        files[reason.removeprefix("Skipped: ")].append(report.nodeid.partition("::")[0])
    arguments = [Path(argument).resolve() for argument in terminalreporter.config.args]
    nodes_left_out = not HAS_ROS and any(path in (NODES, *NODES.parents) for path in arguments)
    if not files and not nodes_left_out:
        return
    terminalreporter.section("skipped tests by reason")
    for reason, paths in sorted(files.items(), key=lambda item: (-len(item[1]), item[0])):
        terminalreporter.write_line(f"{len(paths):5}  {reason} ({', '.join(sorted(set(paths)))})")
    if nodes_left_out:
        terminalreporter.write_line("  all  ROS 2 is not installed (test/nodes)")
