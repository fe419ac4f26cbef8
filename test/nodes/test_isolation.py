"""Tests leave nothing behind for the next one: no handlers of signals, no processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

TESTS = """
import signal
import subprocess
import sys
import time

def test_first(ros_domain, record):
    from edan_ros.nodes.common.running import run_together
    from rclpy.node import Node
    import rclpy

    def make():
        node = Node("short")
        node.create_timer(0.01, rclpy.try_shutdown)
        return node

    assert run_together([make]) == 0
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    record.write_text(str(child.pid))

def test_second():
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
"""


def test_handlers_and_processes_of_a_test_end_with_it(tmp_path: Path) -> None:
    folder = Path(__file__).parents[1]
    conftest = (folder / "conftest.py").read_text(encoding="utf-8")
    record = tmp_path / "pid"
    fixture = f"\n\n@pytest.fixture\ndef record() -> Path:\n    return Path({str(record)!r})\n"
    (tmp_path / "conftest.py").write_text(conftest + fixture, encoding="utf-8")
    (tmp_path / "test_two.py").write_text(TESTS, encoding="utf-8")
    # Like a worker of pytest-xdist, with the default handler.
    code = (
        "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'test_two.py']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    pid = int(record.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN
