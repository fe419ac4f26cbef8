"""Runs of `edan benchmark` between processes: cameras -> emotion node -> listener."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from edan_ros.benchmark.measurement import cpu_seconds, resident_mb
from edan_ros.benchmark.results import RosRow, SoakRow
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.environment import prepare
from edan_ros.nodes.common.processes import NodeProcess, ros_arguments
from edan_ros.nodes.common.running import GuardedExecutor
from edan_ros.nodes.tools import benchmark_camera
from edan_ros.nodes.tools.benchmark_camera import COUNTING, StreamOptions
from edan_ros.nodes.tools.session import SessionError, keep_to_this_machine, reserved_namespace

#: Seconds in which the emotion node must become active, and in which the cameras must end.
_TIMEOUT = 60.0
#: Seconds to wait for results after the last image, and between two readings of the memory.
_SETTLE_TIME, _MEMORY_PERIOD = 0.7, 5.0


@dataclass(frozen=True)
class Load:
    """The load of the node: ``hz`` images per second each, with ``faces`` faces."""

    resolution: str = "vga"
    faces: int = 1
    cameras: int = 1
    hz: float = 30.0


#: The third load exceeds every processor; it shows how much the latency grows.
LOADS = (
    Load(),
    Load(hz=60.0),
    Load(hz=240.0),
    Load(faces=8),
    Load(cameras=4),
    Load("720p"),
    Load("1080p"),
)


class BenchmarkListener(Node):
    """Subscribes to the faces of all cameras, on a thread of its own from `start` to `stop`.

    Attributes:
        arrivals: in order, the stamp of the image and the arrival of its result in nanoseconds
            since 1970, and the number of faces.
        stages: image topic -> stage -> mean milliseconds.
    """

    def __init__(self, namespace: str, cameras: Sequence[str]) -> None:
        super().__init__("benchmark_listener", namespace=namespace)
        self.arrivals: list[tuple[int, int, int]] = []
        self.stages: dict[str, dict[str, float]] = {}
        for camera in cameras:
            self.create_subscription(
                FaceEmotionArray, f"{camera}/faces", self._on_faces, qos.RESULTS
            )
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.RESULTS)
        self._executor = GuardedExecutor()
        self._executor.add_node(self)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="listener", daemon=True)

    def start(self) -> None:
        """Start to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and destroy the node."""
        self._stopping.set()
        self._thread.join()
        self._executor.shutdown()
        self.destroy_node()

    def _spin(self) -> None:
        while not self._stopping.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_faces(self, message: FaceEmotionArray) -> None:
        stamp = message.header.stamp
        sent = stamp.sec * 10**9 + stamp.nanosec
        self.arrivals.append((sent, time.time_ns(), len(message.faces)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            stages = {
                key.removeprefix("stage.").removesuffix("_ms"): float(value)
                for key, value in values.items()
                if key.startswith("stage.")
            }
            # Other nodes of the domain publish on the same topic.
            topic = values.get("topic", "")
            if stages and topic.startswith(f"{self.get_namespace()}/"):
                self.stages[topic] = stages


class RosBenchmark:
    """A context manager that initialises ROS and runs loads.

    Args:
        model, threads: parameters of the emotion node; threads 0 selects its default.
        on_trouble: called with the warnings and errors of the node.

    Attributes:
        starts: seconds that each start of the emotion node took.
        memory_mb: memory of the node at the end of the last run.
    """

    def __init__(self, model: str, threads: int, on_trouble: Callable[[str], None]) -> None:
        self._parameters: dict[str, object] = {"model": model, "threads": threads}
        self._on_trouble = on_trouble
        self.starts: list[float] = []
        self.memory_mb: float | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> RosBenchmark:
        keep_to_this_machine()
        prepare()
        self._namespace = self._stack.enter_context(reserved_namespace("benchmark"))
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._stack.callback(rclpy.try_shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def startup_s(self) -> float | None:
        """Median of the seconds from the start of the emotion node's process until it is active."""
        return round(statistics.median(self.starts), 2) if self.starts else None

    def run(self, load: Load, seconds: float) -> RosRow:
        """Run one load for ``seconds``.

        Raises:
            SessionError: a process did not start, or failed.
        """
        with self._emotion_node(load) as (node, listener):
            cameras = self._start_cameras(load, seconds)
            _wait_until_counting(cameras)
            before = cpu_seconds(node.pid), time.monotonic()
            time.sleep(seconds)
            spent = cpu_seconds(node.pid) - before[0]
            share = 100.0 * spent / (time.monotonic() - before[1])
            sent = _published(cameras)
            time.sleep(_SETTLE_TIME)
            self.memory_mb = round(resident_mb(node.pid), 1)
        stages = list(listener.stages.values())
        return summarise(load, seconds, listener.arrivals, stages, sent, share)

    def soak(self, minutes: float) -> SoakRow:
        """Run one camera at 30 Hz with one face, and measure the growth of the memory."""
        with self._emotion_node(Load()) as (node, _):
            cameras = self._start_cameras(Load(), 60.0 * minutes)
            memory: list[tuple[float, float]] = []
            # The memory settles for a minute, or for half of a run of less than two.
            begin = time.monotonic() + min(60.0, 30.0 * minutes)
            while cameras.poll() is None:
                if time.monotonic() >= begin:
                    own = resident_mb(node.pid, shared=False)
                    memory.append((resident_mb(node.pid), own))
                time.sleep(min(_MEMORY_PERIOD, 5.0 * minutes))
            _published(cameras)
        if not memory:
            raise SessionError("the cameras of the benchmark ended too early")
        (start, start_own), (most, most_own) = memory[0], np.max(memory, axis=0)
        figures = (round(float(mb), 1) for mb in (start, most, start_own, most_own))
        return SoakRow(minutes, *figures)

    @contextlib.contextmanager
    def _emotion_node(self, load: Load) -> Iterator[tuple[NodeProcess, BenchmarkListener]]:
        """Start the emotion node, and yield it with its subscriber when it is active."""
        names = [f"camera_{i}" for i in range(load.cameras)]
        parameters = self._parameters | {"cameras": names}
        arguments = ros_arguments(parameters, namespace=self._namespace)
        start = time.monotonic()
        node = NodeProcess("emotion_node", arguments, self._on_trouble)
        try:
            while not _has_logged(node, "active: subscribed"):
                ended = node.exit_code() is not None or _has_logged(node, "[ERROR]")
                if ended or time.monotonic() - start > _TIMEOUT:
                    raise SessionError("emotion_node did not start: " + " ".join(node.tail))
                time.sleep(0.005)
            self.starts.append(time.monotonic() - start)
            listener = BenchmarkListener(f"/{self._namespace}", names)
            listener.start()
            try:
                yield node, listener
            finally:
                listener.stop()
        finally:
            node.stop()

    def _start_cameras(self, load: Load, seconds: float) -> subprocess.Popen[str]:
        topics = [f"/{self._namespace}/camera_{i}/image_raw" for i in range(load.cameras)]
        options = StreamOptions(load.resolution, load.faces, topics, load.hz, seconds)
        return subprocess.Popen(
            [sys.executable, "-m", benchmark_camera.__name__, json.dumps(asdict(options))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _has_logged(node: NodeProcess, words: str) -> bool:
    return any(words in line for line in list(node.tail))


def _wait_until_counting(cameras: subprocess.Popen[str]) -> None:
    """Wait until the cameras start to count, or have ended."""
    assert cameras.stdout is not None
    while line := cameras.stdout.readline():
        if line.strip() == COUNTING:
            return


def _published(cameras: subprocess.Popen[str]) -> dict[str, int]:
    """Wait for the end of the cameras, and return what they have published."""
    try:
        output, errors = cameras.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        cameras.kill()
        raise SessionError("the cameras of the benchmark did not end") from None
    if cameras.returncode:
        raise SessionError(f"the cameras of the benchmark failed: {errors.strip()[-500:]}")
    return dict(json.loads(output.splitlines()[-1]))


def summarise(
    load: Load,
    seconds: float,
    arrivals: Sequence[tuple[int, int, int]],
    stages: Sequence[dict[str, float]],
    sent: dict[str, int],
    cpu_percent: float,
) -> RosRow:
    """Return the figures of one run.

    Args:
        load: what was published.
        seconds: duration of the counted part.
        arrivals: as of ``BenchmarkListener``; those before the first counted image are left out.
        stages: stage -> mean milliseconds, for each camera.
        sent: as returned by ``BenchmarkCamera.run``.
        cpu_percent: CPU usage of the emotion node.

    Raises:
        SessionError: no result was received.
    """
    counted = [(s, a) for s, a, _ in arrivals if s >= sent["begin_ns"]]
    if not counted:
        raise SessionError("no result was received: see the messages of the node above")
    latency = np.array([(arrival - stamp) / 1e6 for stamp, arrival in counted])
    third = max(len(latency) // 3, 1)
    p50, p90, p99 = np.percentile(latency, (50, 90, 99))
    return RosRow(
        resolution=load.resolution,
        faces=load.faces,
        cameras=load.cameras,
        offered_hz=load.hz,
        fps=round(len(counted) / seconds, 1),
        p50_ms=round(float(p50), 2),
        p90_ms=round(float(p90), 2),
        p99_ms=round(float(p99), 2),
        growth_ms=round(float(np.median(latency[-third:]) - np.median(latency[:third])), 2),
        drops=sent["published"] - len(counted),
        cpu_percent=round(cpu_percent, 1),
        ms={
            name: round(statistics.fmean(each[name] for each in stages), 3)
            for name in (stages[0] if stages else ())
        },
    )
