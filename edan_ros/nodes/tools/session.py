"""A recorded run: camera node and emotion node as processes, and a recorder in this process."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from filelock import FileLock, Timeout
from rclpy.signals import SignalHandlerOptions

from edan_ros.nodes.camera.camera_node import PLAYER
from edan_ros.nodes.common.environment import prepare
from edan_ros.nodes.common.processes import NodeProcess, ros_arguments
from edan_ros.nodes.common.running import GuardedExecutor
from edan_ros.nodes.tools.recorder_node import Recorded, RecorderNode

#: Results that are kept for the writer; the recorder then waits until one has been written.
_QUEUE_SIZE = 8
#: Seconds between two checks of the nodes.
_CHECK_PERIOD = 0.3
#: Seconds to wait for outstanding results after the camera node has ended.
_SETTLE_TIME = 3.0


class SessionError(RuntimeError):
    """A node did not start, or ended. The message names it and quotes its last lines."""


@dataclass(frozen=True)
class SessionOptions:
    """The nodes to start, and their parameters.

    Attributes:
        namespace: of the nodes.
        camera, emotion: parameters of the two nodes.
        files: parameter files of the emotion node.
    """

    namespace: str
    camera: Mapping[str, object]
    emotion: Mapping[str, object]
    files: Sequence[str] = field(default_factory=tuple)


class Session:
    """A context manager that starts the nodes, yields what they publish, and ends them.

    Args:
        options: what to start.
        on_trouble: called with every warning and error that the nodes log, on another thread.
    """

    def __init__(self, options: SessionOptions, on_trouble: Callable[[str], None]) -> None:
        self._options = options
        self._on_trouble = on_trouble
        self._recorded: queue.Queue[Recorded] = queue.Queue(_QUEUE_SIZE)
        self._stop_spinning = threading.Event()
        self._discard = threading.Event()  # results are not consumed any more
        self._ended_at: float | None = None

    def __enter__(self) -> Session:
        keep_to_this_machine()
        prepare()
        # The caller handles signals: Ctrl-C must not end the context before all is written.
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.recorder = RecorderNode(self._enqueue, namespace=self._options.namespace)
        self._executor = GuardedExecutor()
        self._executor.add_node(self.recorder)
        self._thread = threading.Thread(target=self._spin, name="recorder", daemon=True)
        self._thread.start()
        options = self._options
        self.emotion = self._start("emotion_node", options.emotion, options.files)
        self.camera = self._start("camera_node", options.camera)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_spinning.set()
        self._discard.set()
        self.camera.stop()
        self.emotion.stop()
        self._thread.join()
        self._executor.shutdown()
        self.recorder.destroy_node()
        rclpy.try_shutdown()

    def results(self, stopped: Callable[[], bool]) -> Iterator[Recorded]:
        """Yield every result, in order, until the source has ended or ``stopped()`` is true.

        Raises:
            SessionError: a node does not start, or ends early.
        """
        checked = time.monotonic()
        while not stopped():
            with contextlib.suppress(queue.Empty):
                yield self._recorded.get(timeout=0.1)
            if time.monotonic() - checked > _CHECK_PERIOD:
                checked = time.monotonic()
                self._check()
            if self._ended():
                break
        yield from self._rest()

    def _ended(self) -> bool:
        """Return whether the source has ended and all its results have arrived."""
        if self.camera.exit_code() is None or not self._recorded.empty():
            return False
        self._ended_at = self._ended_at or time.monotonic()
        pairing = self.recorder.pairing
        settled = pairing.images == pairing.results
        return settled or time.monotonic() - self._ended_at > _SETTLE_TIME

    def _rest(self) -> Iterator[Recorded]:
        """Unsubscribe, and yield what has been received."""
        self._stop_spinning.set()
        while self._thread.is_alive() or not self._recorded.empty():
            with contextlib.suppress(queue.Empty):
                yield self._recorded.get(timeout=0.05)
        yield from self.recorder.pairing.finish()

    def _start(
        self, executable: str, parameters: Mapping[str, object], files: Sequence[str] = ()
    ) -> NodeProcess:
        arguments = ros_arguments(
            parameters, namespace=self._options.namespace, parameter_files=files
        )
        return NodeProcess(executable, arguments, self._on_trouble)

    def _enqueue(self, recorded: Recorded) -> None:
        while not self._discard.is_set():
            try:
                self._recorded.put(recorded, timeout=0.1)
            except queue.Full:
                continue
            return

    def _spin(self) -> None:
        while not self._stop_spinning.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _check(self) -> None:
        """Raise SessionError if the run cannot succeed."""
        code = self.emotion.exit_code()
        if code is not None:
            raise SessionError(f"emotion_node ended with code {code}{_last_lines(self.emotion)}")
        code = self.camera.exit_code()
        if code:
            raise SessionError(f"camera_node ended with code {code}{_last_lines(self.camera)}")
        if any(f"{PLAYER} has ended" in line for line in self.camera.tail):
            raise SessionError(f"camera_node stopped publishing{_last_lines(self.camera)}")
        if self.recorder.health.errors:
            raise SessionError(f"the recorder failed: {self.recorder.health.last_error}")
        if not self.recorder.pairing.images and any("[ERROR]" in t for t in self.emotion.tail):
            raise SessionError(f"emotion_node did not start{_last_lines(self.emotion)}")
        if any(self.recorder.count_publishers(topic) > 1 for topic in ("image_raw", "faces")):
            raise SessionError(
                f"other nodes publish below /{self._options.namespace} too: end them, or set "
                "another ROS_DOMAIN_ID"
            )


@contextmanager
def reserved_namespace(name: str) -> Iterator[str]:
    """Reserve a namespace for this run on this machine and ROS domain: name, name_2, ...

    A lock on a file holds it, so that it is free again however the process ends.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    prefix = Path(tempfile.gettempdir()) / f"edan_ros_{name}_domain{domain}"
    with contextlib.ExitStack() as stack:
        for number in itertools.count(1):
            lock = FileLock(f"{prefix}_{number}.lock", timeout=0, thread_local=False)
            # Held by another process, or by one of another user.
            with contextlib.suppress(Timeout, PermissionError):
                stack.enter_context(lock)
                break
        yield name if number == 1 else f"{name}_{number}"


def keep_to_this_machine() -> None:
    """Keep the topics off the network, unless the user has configured that."""
    variables = ("ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE")
    if any(os.environ.get(name) for name in variables):
        return
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def _last_lines(process: NodeProcess) -> str:
    return "".join(f"\n    {line}" for line in list(process.tail)[-8:])
