"""Start the emotion node and, if a source is given, a camera node that publishes its images.

    ros2 launch edan_ros emotion.launch.py image_topic:=/front/image_raw
    ros2 launch edan_ros emotion.launch.py source:=0

The parameter file decides where an argument is empty.
"""

from __future__ import annotations

from launch.actions import OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node, PushRosNamespace

from edan_ros.engines import ENGINES
from edan_ros.nodes.common.environment import fastdds_variables, require_file, share_directory
from edan_ros.nodes.common.launching import SHARED, SWITCH, declare
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = declare(
    {
        "source": (
            "",
            (),
            "Source of the camera node: the number of a webcam, a video, an image, a folder of "
            "images or a bag; empty: no camera node is started",
        ),
        "image_topic": (
            "image_raw",
            (),
            "Topic of the images; camera_info is expected next to it",
        ),
        "compressed": ("", SWITCH, "Whether to subscribe to <image_topic>/compressed"),
        "image_transport": (
            "",
            (),
            "Form of the images: raw, compressed, ffmpeg or foxglove, the topic below image_topic; "
            "goes before compressed",
        ),
        "engine": (
            "",
            ("", *ENGINES),
            "Inference engine; auto: the fastest one that works on this machine",
        ),
        "model": (
            "",
            (),
            "Name of a shipped model, path of an .onnx file with its manifest, or auto",
        ),
        "detector_model": (
            "",
            (),
            "File of the detector: .onnx of YuNet or of another edan, or a cascade",
        ),
        "params_file": (
            str(share_directory() / "config" / "emotion.yaml"),
            (),
            "Parameter file of the nodes; the default lists every parameter",
        ),
        "autostart": ("", SWITCH, "Whether the emotion node configures and activates itself"),
    }
    | SHARED
)


def switches(given: dict[str, str], *names: str) -> dict[str, bool]:
    """Return the arguments among ``names`` that are not empty, as boolean parameters."""
    return {name: given[name] == "true" for name in names if given[name]}


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the nodes with the given arguments.

    Raises:
        FileNotFoundError: params_file does not exist.
    """
    given = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    require_file("params_file", given["params_file"])
    common = {
        "package": "edan_ros",
        "output": "screen",
        "ros_arguments": ["--log-level", given["log_level"]],
        # image_raw/compressed and camera_info follow this remapping.
        "remappings": [("image_raw", given["image_topic"])],
    }
    named = ("image_transport", "engine", "model", "detector_model")
    texts = {key: given[key] for key in named if given[key]}
    emotion = switches(given, "use_sim_time", "autostart") | texts
    if given["compressed"]:
        transport = "compressed" if given["compressed"] == "true" else "raw"
        emotion.setdefault("image_transport", transport)
    parameters = [given["params_file"], *([emotion] if emotion else [])]
    started: list[LaunchDescriptionEntity] = [
        LifecycleNode(
            executable="emotion_node",
            name="emotion_node",
            namespace="",
            parameters=parameters,
            **common,
        )
    ]
    if given["source"]:
        camera = switches(given, "use_sim_time", "compressed") | {"source": given["source"]}
        # A recording starts when the emotion node has subscribed, not while it loads its model.
        camera["wait_for_subscribers"] = 1
        parameters = [given["params_file"], camera]
        started.append(
            Node(executable="camera_node", name="camera_node", parameters=parameters, **common)
        )
    return started


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription(
        [
            *ARGUMENTS,
            *(SetEnvironmentVariable(*item) for item in fastdds_variables().items()),
            PushRosNamespace(LaunchConfiguration("namespace")),
            OpaqueFunction(function=nodes),
        ]
    )
