"""The list of skipped tests at the end of a run, grouped by reason."""

from __future__ import annotations

from collections import defaultdict

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped for each reason, and in which files."""
    files = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        files[reason.removeprefix("Skipped: ")].append(report.nodeid.partition("::")[0])
    if not files:
        return
    terminalreporter.section("skipped tests by reason")
    for reason, paths in sorted(files.items(), key=lambda item: (-len(item[1]), item[0])):
        terminalreporter.write_line(f"{len(paths):5}  {reason} ({', '.join(sorted(set(paths)))})")
