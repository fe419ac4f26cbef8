"""A behaviour node and a player of faces over DDS, on simulated time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from probe import TIMEOUT, wait_for
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from spinner import Spinner
from std_msgs.msg import Header

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import (
    EMOTIONS,
    POLARITY_UNKNOWN,
    UNKNOWN,
    label_of,
    polarity_probabilities,
    valence_arousal,
)
from edan_ros.core.faces import Face, HeadPose
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.nodes.behaviors.base import BehaviorNode
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import face_message

WIDTH, HEIGHT = 640, 480
#: Seconds between two looks at what the node has done.
PERIOD = 2e-4
#: Rotation of a head that looks straight into the camera: x_face = -z, y_face = x, z_face = -y.
FRONTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])


def face(
    track_id: int = 1,
    emotion: str = "neutral",
    share: float = 0.88,
    *,
    x: float = 0.5,
    size: float = 100.0,
    distance: float | None = 1.0,
) -> FaceEmotion:
    """A frontal face, the middle at `x` of the image's width, `size` pixels high."""
    known = emotion in EMOTIONS
    index = EMOTIONS.index(emotion) if known else UNKNOWN
    p = np.full(7, (1 - share) / 6 if known else 1 / 7)
    if known:
        p[index] = share
    landmarks = MEAN_SHAPE * size + (x * WIDTH, 0.5 * HEIGHT)
    polarity = polarity_probabilities(p)
    pose = None
    if distance is not None:
        pose = HeadPose(FRONTAL, np.array([distance * (x - 0.5), 0.0, distance]))
    valence, arousal = valence_arousal(p)
    return face_message(
        Face(
            track_id=track_id,
            box=Box.from_landmarks(landmarks),
            presence=0.99,
            landmarks=landmarks.astype(np.float32),
            emotion=index,
            label=label_of(index),
            confidence=float(p.max()),
            probabilities=p,
            raw_probabilities=p,
            polarity=int(polarity.argmax()) if known else POLARITY_UNKNOWN,
            polarity_probabilities=polarity,
            valence=valence,
            arousal=arousal,
            head_pose=pose,
            action_units={"AU12": 0.5, "AU1": 0.25},
        ),
        WIDTH,
        HEIGHT,
    )


def header_at(seconds: float, frame_id: str = "cabin_optical") -> Header:
    """A header with a stamp in seconds."""
    header = Header(frame_id=frame_id)
    whole = int(seconds // 1)
    header.stamp.sec = whole
    header.stamp.nanosec = round((seconds - whole) * 1e9)
    return header


def seconds_of(time_or_duration: Any) -> float:
    """A Time or Duration message in seconds."""
    return float(time_or_duration.sec) + 1e-9 * float(time_or_duration.nanosec)


class Replay:
    """Starts a node on simulated time, and replays scenes to it.

    In step with the node: the next message goes out when it has taken in the last. So nothing is
    lost on a slow machine, and no time on a fast one.

    make: the node's class. topics: name -> type of what to listen to, kept in `heard`.
    """

    def __init__(
        self, make: Callable[..., BehaviorNode], topics: dict[str, Any], **given: Any
    ) -> None:
        parameters = {"use_sim_time": True} | given
        self.node = make(
            parameter_overrides=[Parameter(name, value=v) for name, v in parameters.items()]
        )
        self.me = Node("replay")
        self.now = 100.0
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._clock = self.me.create_publisher(Clock, "/clock", 10)
        self._faces = self.me.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)
        for topic, kind in (topics | {"/diagnostics": DiagnosticArray}).items():
            self.listen(kind, topic)
        self._settled = self.me.create_client(GetParameters, self._service("get_parameters"))
        self._setting = self.me.create_client(SetParameters, self._service("set_parameters"))
        self._spinners = [Spinner(self.node), Spinner(self.me)]
        wait_for(self._faces.get_subscription_count, "the node to listen")
        wait_for(self._clock.get_subscription_count, "the node to take the time")
        self.tick(0.0)

    def close(self) -> None:
        """Take both down."""
        for spinner in self._spinners:
            spinner.close()

    def listen(self, kind: Any, topic: str, profile: QoSProfile = qos.RESULTS) -> None:
        """Keep every message of a topic, from now on if the node has it already."""
        mine = self.me.create_subscription(kind, topic, self.heard[topic].append, profile)
        theirs = [p for p in self.node.publishers if p.topic_name == mine.topic_name]
        wait_for(lambda: all(p.get_subscription_count() for p in theirs), f"{topic} to be found")

    def tick(self, seconds: float) -> None:
        """Move the simulated time on, or back."""
        self.now = round(self.now + seconds, 6)
        stamp = header_at(self.now).stamp
        self._clock.publish(Clock(clock=stamp))
        clock = self.node.get_clock()
        wait_for(lambda: clock.now().to_msg() == stamp, "the node to take the time", period=PERIOD)

    def show(self, *faces: FaceEmotion, stamp: float | None = None, **fields: Any) -> None:
        """Publish faces, by default with the current time."""
        header = header_at(self.now if stamp is None else stamp)
        array = FaceEmotionArray(
            header=header, image_width=WIDTH, image_height=HEIGHT, faces=list(faces)
        )
        for name, value in fields.items():
            setattr(array, name, value)
        counts = self.node.counts
        before = counts.total()
        self._faces.publish(array)
        wait_for(lambda: counts.total() > before, "the node to take the faces", period=PERIOD)

    def play(self, seconds: float, *faces: FaceEmotion, rate: float = 20.0) -> None:
        """Publish faces for some simulated seconds, and wait for the results."""
        for _ in range(round(seconds * rate)):
            self.tick(1.0 / rate)
            self.show(*faces)
        self.settle()

    def pause(self, seconds: float, rate: float = 20.0) -> None:
        """Let simulated time pass without faces, and wait for the results."""
        for _ in range(round(seconds * rate)):
            self.tick(1.0 / rate)
        self.settle()

    def settle(self) -> None:
        """Wait until the node has handled the current time, and its results have arrived.

        Twice: the executor may answer the first request in the round in which it gets the time,
        before the timers of the next one.
        """
        for _ in range(2):
            self._ask(self._settled, GetParameters.Request())

    def set(self, **parameters: Any) -> tuple[bool, str]:
        """Set parameters (a__b for a.b) as `ros2 param set` does; whether all were, and why not."""
        request = SetParameters.Request()
        request.parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in parameters.items()
        ]
        results = self._ask(self._setting, request).results
        return all(r.successful for r in results), " ".join(r.reason for r in results)

    def _service(self, name: str) -> str:
        return f"{self.node.get_fully_qualified_name()}/{name}"

    def _ask(self, client: Client, request: Any) -> Any:
        assert client.wait_for_service(TIMEOUT), client.srv_name
        future = client.call_async(request)
        wait_for(future.done, f"an answer of {client.srv_name}", period=PERIOD)
        return future.result()

    def report(self, *faces: FaceEmotion) -> DiagnosticStatus:
        """The newest entry in /diagnostics of the node, published after this call.

        faces: shown meanwhile, if any.
        """
        self.heard["/diagnostics"].clear()

        def newest() -> DiagnosticStatus | None:
            if faces:
                self.play(0.05, *faces)
            entries = [s for array in self.heard["/diagnostics"] for s in array.status]
            return entries[-1] if entries else None

        return wait_for(newest, "a report")
