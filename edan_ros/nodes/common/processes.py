"""Starts the package's nodes as processes of their own, and ends them."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ament_index_python.packages import get_package_prefix

from edan_ros.nodes.common import child
from edan_ros.nodes.common.environment import PACKAGE, ensure_prefix_path

#: What a node writes that its user has to see.
_TROUBLE = re.compile(r"\[(WARN|ERROR|FATAL)\]|^Traceback|^\w*(Error|Exception)\b")
_STAMP = re.compile(r"\[\d+\.\d+\] ")


def ros_arguments(
    parameters: Mapping[str, object], *, namespace: str = "", parameter_files: Sequence[str] = ()
) -> list[str]:
    """The command line arguments that give a node its parameters; files are read first."""
    arguments = ["--ros-args"]
    if namespace:
        arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
    for file in parameter_files:
        arguments += ["--params-file", file]
    for name, value in parameters.items():
        # JSON is YAML: a text stays a text even if it looks like a number.
        arguments += ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
    return arguments


class NodeProcess:
    """One of the package's executables, running.

    executable: its name under lib/edan_ros. arguments: as of ros_arguments. on_trouble: is given
    every line that the user has to see, on another thread.
    """

    def __init__(
        self, executable: str, arguments: Sequence[str], on_trouble: Callable[[str], None]
    ) -> None:
        ensure_prefix_path()
        path = Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / executable
        self.name = executable
        #: The last lines it wrote.
        self.tail: deque[str] = deque(maxlen=30)
        self._on_trouble = on_trouble
        self._process = subprocess.Popen(
            # By this Python: the script's own first line would look for one on PATH.
            [sys.executable, "-m", child.__name__, str(path), *arguments],
            stdin=subprocess.PIPE,  # its end tells the node that this process is gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C in a terminal reaches every process of a group; the nodes are ended in order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its number on this machine."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def stop(self, patience: float = 3.0) -> int:
        """SIGINT; after ``patience`` seconds SIGTERM, then SIGKILL. Returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self.send(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self._reader.join(1.0)
        if self._process.stdin is not None:
            self._process.stdin.close()
        return self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.rstrip()
            self.tail.append(text)
            if _TROUBLE.search(text):
                self._on_trouble(_STAMP.sub("", text))
