from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from edan_ros.nodes.common.processes import MODULE, ros_arguments


def test_arguments_of_a_node() -> None:
    arguments = ros_arguments(
        {"rate": 5.0, "loop": True}, namespace="/front", parameter_files=["a.yaml", "b.yaml"]
    )
    assert arguments == [
        *["--ros-args", "-r", "__ns:=/front"],
        *["--params-file", "a.yaml", "--params-file", "b.yaml"],
        *["-p", "rate:=5.0", "-p", "loop:=true"],
    ]


def test_no_arguments_without_parameters() -> None:
    assert ros_arguments({}) == ["--ros-args"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))))
def test_a_text_stays_a_text(value: str) -> None:
    _, _, argument = ros_arguments({"source": value})
    name, _, given_value = argument.partition(":=")
    assert name == "source"
    # ROS reads what follows as YAML.
    assert yaml.safe_load(given_value) == value


@pytest.mark.parametrize("end", ["SIGINT", "the end of the parent"])
def test_a_child_that_is_still_importing_ends_without_a_traceback(tmp_path: Path, end: str) -> None:
    script = tmp_path / "node.py"
    script.write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == "importing\n"
            if end == "SIGINT":
                process.send_signal(signal.SIGINT)
            else:
                process.stdin.close()
            assert process.wait(30) == -signal.SIGINT
            assert process.stdout.read() == ""
        finally:
            process.kill()
