"""`edan view` as a process: it prints the address of the page, serves it, and ends cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("jinja2")

pytestmark = [pytest.mark.usefixtures("ros_domain"), pytest.mark.slow]

EDAN_VIEW = [sys.executable, "-m", "edan_ros.cli.main", "view"]


@pytest.fixture
def view() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*EDAN_VIEW, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    )
    yield process
    process.kill()
    process.wait()


def test_a_page_without_any_node_and_a_clean_end(view: subprocess.Popen[str]) -> None:
    assert view.stdout is not None
    address = view.stdout.readline().split()[0]
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert b"<title>edan view</title>" in answer.read()
    with urllib.request.urlopen(f"{address}state", timeout=60) as answer:
        assert json.load(answer)["cameras"] == []
    view.send_signal(signal.SIGINT)
    assert view.wait(timeout=120) == 0
    assert "Traceback" not in view.stdout.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)


@pytest.mark.parametrize("arguments", [["--port", "99999"], ["--host", "no.such.invalid"]])
def test_an_unusable_address_is_one_sentence(arguments: list[str]) -> None:
    done = subprocess.run(
        [*EDAN_VIEW, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith("edan view: no page on ")
    assert done.stderr.count("\n") == 1
