"""Parameters of the emotion node."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from edan_ros.core.images.still_image import DecodeLimits
from edan_ros.core.settings import fields_of, from_values
from edan_ros.detection.factory import DETECTORS, DetectionConfig
from edan_ros.drawing.privacy import PRIVACY_MODES
from edan_ros.engines import ENGINES
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Group, Parameter, Value, parameters_in
from edan_ros.nodes.emotion.camera_input import BOXES_OF, IMAGE_TYPES, UNNAMED
from edan_ros.nodes.emotion.standard_outputs import STANDARD_OUTPUTS
from edan_ros.pipeline.config import PipelineConfig

#: The value of ``detector`` with which the boxes come from a topic.
TOPIC = "topic"

_SETTINGS = {
    item.name: Parameter.of(item)
    for config in (PipelineConfig, DetectionConfig, DecodeLimits)
    for item in fields_of(config)
}


def _settings(*names: str) -> tuple[Parameter, ...]:
    return tuple(_SETTINGS[name] for name in names)


def _configured(name: str, default: Value, help: str, **limits: Any) -> Parameter:
    return Parameter(name, default, help, change=Change.CONFIGURE, **limits)


GROUPS = (
    Group(
        "Start, cameras, model",
        (
            Parameter(
                "autostart",
                True,
                "configure and activate the node when it starts; set it to false where a lifecycle "
                "manager does that",
                change=Change.NEVER,
            ),
            Parameter(
                "bond_heartbeat_period",
                0.25,
                "time between two heartbeats for the lifecycle manager of Nav2, with autostart "
                "false and where the package bond is installed; 0: none",
                change=Change.NEVER,
                low=0.0,
                high=2.0,
                unit="s",
            ),
            _configured(
                "cameras",
                [""],
                "names of the cameras; the topics of each are below its name (front/image_raw, "
                "front/faces), those of an empty name have no prefix (image_raw, faces)",
            ),
            _configured(
                "image_transport",
                "raw",
                "form of the images: image_raw, or below it compressed (JPEG, PNG, WebP), ffmpeg "
                "(FFMPEGPacket) or foxglove (CompressedVideo), the latter two with H.264 or H.265",
                choices=tuple(IMAGE_TYPES),
            ),
            Parameter(
                "image_reliability",
                "best_effort",
                "quality of service of the image subscription; best_effort matches every "
                "publisher, reliable only reliable ones",
                choices=qos.RELIABILITIES,
                change=Change.NEVER,
            ),
            _configured(
                "rectified",
                False,
                "images are rectified (image_rect): head poses use P of camera_info and no "
                "distortion",
            ),
            _configured(
                "model",
                "auto",
                "name of a shipped model, path of an .onnx file with its manifest beside it, or "
                "auto: the fastest shipped model for this machine",
            ),
            _configured(
                "engine",
                "auto",
                "inference engine of the model and of the detector edan; auto: TensorRT where it "
                "works, else ONNX Runtime",
                choices=ENGINES,
            ),
            _configured(
                "threads",
                0,
                "processor threads for inference; 0: the cores that the cameras leave free, and "
                "all cores for several faces",
                low=0,
                high=64,
            ),
        ),
    ),
    Group(
        "Limits of images",
        _settings("max_image_bytes", "max_image_scans", "max_scanned_pixels"),
    ),
    Group(
        "Face detection",
        (
            dataclasses.replace(
                _SETTINGS["detector"],
                help=f"{_SETTINGS['detector'].help}; or topic: the roi of each face in the "
                "FaceEmotionArray that another node publishes on the topic boxes",
                choices=(*DETECTORS, TOPIC),
            ),
            *_settings("detector_model"),
            _configured(
                "boxes_of",
                "face",
                "region inside the boxes where detector is topic: the face from forehead to chin, "
                "as face detectors give it, or the 68 landmarks",
                choices=tuple(BOXES_OF),
            ),
            *_settings(
                "detector_threshold",
                "min_face",
                "detector_max_side",
                "detection_interval",
                "max_faces",
            ),
        ),
    ),
    Group(
        "Tracking",
        _settings(
            "presence_threshold",
            "track_memory",
            "birth_hits",
            "birth_presence",
            "max_gap",
            "detect_cuts",
            "carry_still_faces",
        ),
    ),
    Group(
        "Emotions and eyes",
        _settings(
            "prior_strength",
            "resting_baseline",
            "smoothing_time",
            "confidence_threshold",
            "switch_margin",
            "min_dwell",
            "max_yaw",
            "max_pitch",
            "min_face_size",
            "eyes",
        ),
    ),
    Group(
        "Annotated image",
        (
            Parameter(
                "attention_overlay",
                False,
                "draw the attention map of the emotion over each face in the annotated image",
            ),
            Parameter(
                "annotated_privacy",
                "none",
                "how people are shown in the annotated image and in the one of ~/explain: as they "
                "are, with blurred heads, or as landmarks alone. blur covers detected faces only; "
                "no pixel of landmarks-only comes from the camera",
                choices=PRIVACY_MODES,
            ),
        ),
    ),
    Group(
        "Other messages",
        tuple(
            Parameter(
                f"publish_{name}",
                False,
                f"also publish {output.package}/{output.message} on faces/{name}, while it has "
                f"subscribers: {output.content}",
                change=Change.CONFIGURE,
            )
            for name, output in STANDARD_OUTPUTS.items()
        ),
    ),
    Group(
        "Diagnostics",
        (
            Parameter(
                "silence_timeout",
                2.0,
                "time without images after which a camera is reported as gone",
                low=0.1,
                high=3600.0,
                unit="s",
            ),
        ),
    ),
)
PARAMETERS = parameters_in(GROUPS)

#: Parameters whose change needs a new detector.
DETECTOR_PARAMETERS = {"detector_threshold", "min_face", "detector_max_side"}

_CAMERA_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", re.ASCII)


def check(values: Mapping[str, Any]) -> None:
    """Raise ValueError, with a sentence for the user, when the values conflict."""
    cameras = values["cameras"]
    if not cameras or len({name or UNNAMED for name in cameras}) < len(cameras):
        raise ValueError(f"cameras is {list(cameras)}, must be one or more names, all different")
    for name in cameras:
        if name and not _CAMERA_NAME.fullmatch(name):
            raise ValueError(f"the camera name '{name}' cannot be part of a topic's name")
    from_values(PipelineConfig, values)
