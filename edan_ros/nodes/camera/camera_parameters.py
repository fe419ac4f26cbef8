"""Every parameter of the camera node. All are read once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter, Value
from edan_ros.sources import BUILT_IN, SourceError
from edan_ros.sources.calibration import load_calibration

#: Where the stamps of images come from.
STAMPS = ("now", "recorded")
#: What to do at the end of a recording.
ENDINGS = ("exit", "stay")


def _fixed(name: str, default: Value, meaning: str, **limits: Any) -> Parameter:
    return Parameter(name, default, meaning, Change.NEVER, **limits)


class _Source(Parameter):
    """A text, or the number that `-p source:=0` and launch files make of a webcam's."""

    def descriptor(self) -> ParameterDescriptor:
        """What the parameter services tell of it."""
        descriptor = super().descriptor()
        descriptor.dynamic_typing = True
        return descriptor


PARAMETERS = (
    _Source(
        "source",
        "0",
        "number of a webcam or its /dev/video file, a video, a picture, a folder or a glob of "
        f"pictures, a bag (folder or file), or '{BUILT_IN}' for the built-in scene",
        Change.NEVER,
    ),
    _fixed("bag_topic", "", "topic of the images in a bag; empty for the one with most images"),
    _fixed(
        "rate",
        0.0,
        "images a second; 0 for the recorded times, a webcam's own rate, 2 for pictures",
        bounds=(0.0, 1000.0),
    ),
    _fixed("loop", False, "begin anew at the end of a recording"),
    _fixed("at_end", "exit", "at the end of a recording: end the process or stay", choices=ENDINGS),
    _fixed("width", 0, "pixels to ask a webcam for; 0 for its own choice", bounds=(0, 10000)),
    _fixed("height", 0, "pixels to ask a webcam for; 0 for its own choice", bounds=(0, 10000)),
    _fixed(
        "frame_id",
        "",
        "frame of the images; empty for the recorded one or, where none is, camera_optical_frame",
    ),
    _fixed(
        "stamps",
        "now",
        "stamp images with the time they are published, or with the recorded one (a file without "
        "dates is taken to begin at the start of the node)",
        choices=STAMPS,
    ),
    _fixed(
        "calibration",
        "",
        "YAML file of camera_calibration, published as camera_info; empty for the one in the bag",
    ),
    _fixed(
        "field_of_view",
        0.0,
        "horizontal, degrees, for a camera_info without a calibration; 0 for none",
        bounds=(0.0, 179.0),
    ),
    _fixed("compressed", False, "publish JPEG on image_raw/compressed too, if anybody listens"),
    _fixed("jpeg_quality", 90, "of the compressed images, percent", bounds=(1, 100)),
    _fixed(
        "image_reliability",
        "best_effort",
        "quality of service of the images: best_effort is right for a camera, reliable for a "
        "recording of which nothing may be lost",
        choices=qos.RELIABILITIES,
    ),
    _fixed(
        "wait_for_subscribers",
        0,
        "begin when this many subscribe to image_raw; 0 for at once",
        bounds=(0, 100),
    ),
    _fixed(
        "wait_for_acknowledgement",
        False,
        "publish an image only when the header of the one before has come back on ~/acknowledge: "
        "a slow listener then slows a recording down and loses nothing of it",
    ),
    _fixed(
        "acknowledgement_timeout",
        5.0,
        "seconds after which the next image is published all the same",
        bounds=(0.1, 600.0),
    ),
    _fixed(
        "retry", 2.0, "seconds between two tries to open a missing source", bounds=(0.05, 600.0)
    ),
)


def check(values: Mapping[str, Any]) -> None:
    """Raises ValueError, with a sentence for the user, when two parameters contradict."""
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
