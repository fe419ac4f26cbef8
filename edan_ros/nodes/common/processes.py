"""Starts the nodes of the package as processes, and ends them.

``python -m edan_ros.nodes.common.processes EXECUTABLE [arguments]`` runs an executable that ends
with the process that started it. Standard input has to be a pipe whose other end only the parent
holds: however the parent ends, also by SIGKILL, the pipe closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ament_index_python.packages import get_package_prefix

from edan_ros.nodes.common.environment import PACKAGE, ensure_prefix_path

#: This module, to be run as a program.
MODULE = "edan_ros.nodes.common.processes"
#: Lines of a node that are passed on to its user.
_TROUBLE = re.compile(r"\[(WARN|ERROR|FATAL)\]|^Traceback|^\w*(Error|Exception)\b")
_STAMP = re.compile(r"\[\d+\.\d+\] ")
#: Seconds to shut down in order after the parent has ended.
_SHUTDOWN_TIMEOUT = 5.0


def ros_arguments(
    parameters: Mapping[str, object], *, namespace: str = "", parameter_files: Sequence[str] = ()
) -> list[str]:
    """Return the command line of a node with these parameters; files are read first."""
    arguments = ["--ros-args"]
    if namespace:
        arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
    for file in parameter_files:
        arguments += ["--params-file", file]
    for name, value in parameters.items():
        # JSON is YAML in which a text stays a text even if it looks like a number.
        arguments += ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
    return arguments


class NodeProcess:
    """A running executable of the package.

    Args:
        executable: its name in lib/edan_ros.
        arguments: as of ros_arguments.
        on_trouble: called with every line that the user has to see, on another thread.

    Attributes:
        tail: the last lines of its output.
    """

    def __init__(
        self, executable: str, arguments: Sequence[str], on_trouble: Callable[[str], None]
    ) -> None:
        ensure_prefix_path()
        path = Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / executable
        self.name = executable
        self.tail: deque[str] = deque(maxlen=30)
        self._on_trouble = on_trouble
        self._process = subprocess.Popen(
            # With this Python: the script's first line would use the one on PATH.
            [sys.executable, "-m", MODULE, str(path), *arguments],
            stdin=subprocess.PIPE,  # the node ends when it is closed, as by the end of this process
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C in a terminal reaches a whole group of processes; nodes are ended in order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code; None while the process runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def stop(self, timeout: float = 3.0) -> int:
        """End the process and return its exit code.

        Args:
            timeout: seconds from SIGINT to SIGTERM, and from there to SIGKILL.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self.send(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
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


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_SHUTDOWN_TIMEOUT)
    os._exit(1)


def _main() -> None:
    """Run the executable that the command line names in this process.

    Until the node handles SIGINT, the signal ends the process at once, without a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
