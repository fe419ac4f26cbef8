"""Every parameter of the emotion node. config/emotion.yaml lists the same ones for users."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edan_ros.detection.factory import DETECTORS
from edan_ros.drawing.privacy import PRIVACY_MODES
from edan_ros.engines import ENGINES
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.emotion.camera_input import BOXES_OF, IMAGE_TYPES, UNNAMED
from edan_ros.pipeline.config import PipelineConfig, pipeline_config

#: The detector whose boxes come from a topic.
TOPIC = "topic"

_PIPELINE = PipelineConfig()
_TRACKING, _SMOOTHING = _PIPELINE.tracking, _PIPELINE.smoothing

_STRUCTURE = (
    Parameter(
        "autostart",
        True,
        "configure and activate as soon as the node runs; off where a lifecycle manager does it",
        Change.NEVER,
    ),
    Parameter(
        "cameras",
        [""],
        "names of the cameras; the topics of each lie under its name (front/image_raw, "
        "front/faces), those of an empty name have no prefix (image_raw, faces)",
        Change.CONFIGURE,
    ),
    Parameter(
        "image_transport",
        "raw",
        "take image_raw, or image_raw/compressed (JPEG, PNG, WebP)",
        Change.CONFIGURE,
        choices=tuple(IMAGE_TYPES),
    ),
    Parameter(
        "image_reliability",
        "best_effort",
        "quality of service asked of the images; best_effort takes those of every camera, reliable "
        "only those of a publisher that is reliable too",
        Change.CONFIGURE,
        choices=qos.RELIABILITIES,
    ),
    Parameter(
        "rectified",
        False,
        "the images are rectified (image_rect): head poses use P of camera_info and no distortion",
        Change.CONFIGURE,
    ),
    Parameter(
        "model",
        "edan-lite",
        "name of a model of the package, or path of an .onnx file with its manifest beside it",
        Change.CONFIGURE,
    ),
    Parameter(
        "engine",
        "auto",
        "what runs the model, and the detector edan; auto takes TensorRT where it works, else ONNX "
        "Runtime, and says why",
        Change.CONFIGURE,
        choices=ENGINES,
    ),
    Parameter(
        "threads",
        0,
        "processor threads for the model; 0 for the cores that the cameras leave free, and all "
        "cores for several faces",
        Change.CONFIGURE,
        bounds=(0, 64),
    ),
)

_DETECTION = (
    Parameter(
        "detector",
        "auto",
        "what finds new faces: edan (this package's own), yunet (its file is detector_model), haar "
        "(in OpenCV 4), full_frame (an image is one face), topic (the roi in the FaceEmotionArray "
        "of another node on the topic boxes), or auto: yunet where its file is given, else edan",
        Change.CONFIGURE,
        choices=(*DETECTORS, TOPIC),
    ),
    Parameter(
        "detector_model",
        "",
        "path of the detector's file, where it is not the one that ships: .onnx of YuNet, .onnx of "
        "another edan, or cascade of haar",
        Change.CONFIGURE,
    ),
    Parameter(
        "boxes_of",
        "face",
        "what the boxes of the topic are drawn around, where detector is topic: the face from "
        "forehead to chin, as face detectors do, or its landmarks alone",
        Change.CONFIGURE,
        choices=tuple(BOXES_OF),
    ),
    Parameter("detector_threshold", 0.6, "score from which a detection counts", bounds=(0.0, 1.0)),
    Parameter("min_face", 20.0, "smallest face to search for, pixels", bounds=(8.0, 10000.0)),
    Parameter(
        "detector_max_side",
        640,
        "larger images are reduced to this many pixels before the search; more finds smaller "
        "faces and takes longer; TensorRT searches up to 1280",
        bounds=(64, 8000),
    ),
    Parameter(
        "detection_interval",
        _PIPELINE.detection_interval,
        "most images from one search to the next while every face is followed; faces that move "
        "fast are searched for sooner",
        bounds=(1, 1000),
    ),
    Parameter(
        "max_faces",
        _PIPELINE.max_faces,
        "faces an image; those followed longest come first",
        bounds=(1, 256),
    ),
)

_TRACKS = (
    Parameter(
        "presence_threshold",
        _PIPELINE.presence_threshold,
        "presence from which a crop counts as a face; 0 takes the model's own",
        bounds=(0.0, 1.0),
    ),
    Parameter(
        "track_memory",
        _TRACKING.memory,
        "seconds for which a lost face keeps its track id",
        bounds=(0.0, 60.0),
    ),
    Parameter(
        "birth_hits",
        _TRACKING.birth_hits,
        "images in which a new face must be seen before it is published",
        bounds=(1, 100),
    ),
    Parameter(
        "birth_presence",
        _TRACKING.birth_presence,
        "presence from which one image is enough",
        bounds=(0.0, 1.0),
    ),
    Parameter(
        "max_gap",
        _PIPELINE.max_gap,
        "seconds between two images after which the faces start anew",
        bounds=(0.0, 3600.0),
    ),
)

_EMOTION = (
    Parameter(
        "smoothing_time",
        _SMOOTHING.time_constant,
        "seconds after which 63 % of a change of the emotion has come through; 0 does not smooth",
        bounds=(0.0, 60.0),
    ),
    Parameter(
        "confidence_threshold",
        _SMOOTHING.confidence_threshold,
        "smoothed probability below which the emotion is unknown",
        bounds=(0.0, 1.0),
    ),
    Parameter(
        "switch_margin",
        _SMOOTHING.margin,
        "probability by which another emotion must exceed the present one to replace it",
        bounds=(0.0, 1.0),
    ),
    Parameter(
        "max_yaw",
        _PIPELINE.max_yaw,
        "degrees that a head may be turned to the side before its emotion is unknown",
        bounds=(0.0, 90.0),
    ),
    Parameter(
        "max_pitch",
        _PIPELINE.max_pitch,
        "degrees that a head may be turned up or down before its emotion is unknown",
        bounds=(0.0, 90.0),
    ),
)

_PICTURE = (
    Parameter(
        "attention_overlay",
        False,
        "draw over each face of the annotated picture which parts of it led to its emotion",
    ),
    Parameter(
        "annotated_privacy",
        "none",
        "what the annotated picture and the one of ~/explain show of people: all, heads blurred, "
        "or landmarks alone. Blur covers whom the detector finds; of landmarks-only not one pixel "
        "comes from the camera",
        choices=PRIVACY_MODES,
    ),
)

_REPORTS = (
    Parameter(
        "silence_timeout",
        2.0,
        "seconds without images after which a camera is reported as gone",
        bounds=(0.1, 3600.0),
    ),
)

#: Those that make another detector necessary when they change.
DETECTOR_PARAMETERS = {"detector_threshold", "min_face", "detector_max_side"}

PARAMETERS = _STRUCTURE + _DETECTION + _TRACKS + _EMOTION + _PICTURE + _REPORTS

_CAMERA_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", re.ASCII)


def check(values: Mapping[str, Any]) -> None:
    """Raises ValueError, with a sentence for the user, when the values cannot go together."""
    cameras = values["cameras"]
    if not cameras or len({name or UNNAMED for name in cameras}) < len(cameras):
        raise ValueError(f"cameras is {list(cameras)}, must be one or more names, all different")
    for name in cameras:
        if name and not _CAMERA_NAME.fullmatch(name):
            raise ValueError(f"the camera name '{name}' cannot be part of a topic's name")
    pipeline_config(values)
