"""Parameters of the camera node. All are read once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter, Value
from edan_ros.sources import BUILT_IN, SourceError
from edan_ros.sources.calibration import load_calibration

#: Sources of the stamps of images.
STAMPS = ("now", "recorded")
#: Actions at the end of a recording.
ENDINGS = ("exit", "stay")


def _fixed(name: str, default: Value, help: str, **limits: Any) -> Parameter:
    return Parameter(name, default, help, change=Change.NEVER, **limits)


def _number(
    name: str, default: float, low: float, high: float, help: str, unit: str = ""
) -> Parameter:
    return _fixed(name, default, help, low=low, high=high, unit=unit)


PARAMETERS = (
    _fixed(
        "source",
        "0",
        "number of a webcam or its /dev/video file, a video, an image, a folder or a glob of "
        f"images, a bag (folder or file), or '{BUILT_IN}' for the built-in scene",
        # `-p source:=0` and launch files pass the number of a webcam as an integer.
        dynamic=True,
    ),
    _fixed("bag_topic", "", "topic of the images in a bag; empty: the one with the most images"),
    _number(
        "rate",
        0.0,
        0.0,
        1000.0,
        "images per second; 0: the recorded times, a webcam's own rate, 2 for single images",
        "Hz",
    ),
    _fixed("loop", False, "start again at the end of a recording"),
    _fixed("at_end", "exit", "at the end of a recording, exit or stay", choices=ENDINGS),
    _number("width", 0, 0, 10000, "image width to request from a webcam; 0: its default", "px"),
    _number("height", 0, 0, 10000, "image height to request from a webcam; 0: its default", "px"),
    _fixed(
        "frame_id",
        "",
        "frame of the images; empty: the recorded one, or camera_optical_frame without one",
    ),
    _fixed(
        "stamps",
        "now",
        "stamp of an image: the time of its publication, or the recorded one (a file without dates "
        "starts at the start of the node)",
        choices=STAMPS,
    ),
    _fixed(
        "calibration",
        "",
        "YAML file of camera_calibration, published as camera_info; empty: the one in the bag",
    ),
    _number(
        "field_of_view",
        0.0,
        0.0,
        179.0,
        "horizontal field of view, for a camera_info without a calibration; 0: none",
        "deg",
    ),
    _fixed(
        "compressed", False, "also publish JPEG on image_raw/compressed while it has subscribers"
    ),
    _number("jpeg_quality", 90, 1, 100, "quality of the compressed images", "%"),
    _fixed(
        "image_reliability",
        "best_effort",
        "quality of service of the images: best_effort for a camera, reliable for a recording that "
        "must arrive completely",
        choices=qos.RELIABILITIES,
    ),
    _number(
        "wait_for_subscribers",
        0,
        0,
        100,
        "start when image_raw has this many subscribers; 0: at once",
    ),
    _fixed(
        "wait_for_acknowledgement",
        False,
        "publish an image only after the header of the previous one has been received on "
        "~/acknowledge: a slow subscriber then slows a recording down and loses none of it",
    ),
    _number(
        "acknowledgement_timeout",
        5.0,
        0.1,
        600.0,
        "longest time to wait for an acknowledgement",
        "s",
    ),
    _number("retry", 2.0, 0.05, 600.0, "time between two attempts to open a missing source", "s"),
)


def check(values: Mapping[str, Any]) -> None:
    """Raise ValueError, with a sentence for the user, when values are invalid or conflict."""
    source = values["source"]
    if source == "" or isinstance(source, bool) or not isinstance(source, (str, int)):
        raise ValueError(f"source is '{source}': name a webcam, a file or '{BUILT_IN}'")
    if values["calibration"] and values["field_of_view"]:
        raise ValueError("give either calibration or field_of_view, not both")
    if values["calibration"]:
        try:
            load_calibration(values["calibration"])
        except SourceError as error:
            raise ValueError(str(error)) from error
