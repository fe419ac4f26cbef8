"""The diagnostics of a camera: the first cause of a silence, in every situation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edan_ros.nodes.common.camera_statistics import CameraFigures, CameraStatistics
from edan_ros.nodes.emotion.diagnostics import (
    ERROR,
    OK,
    WARN,
    Situation,
    assess_camera,
    camera_values,
)

FRESH = CameraStatistics().figures()
#: Images come and go at 30 Hz, one face is there.
WELL = replace(
    FRESH,
    received=300,
    processed=300,
    rate_in=30.0,
    rate_out=30.0,
    latency_ms={50: 8.0, 95: 11.0, 99: 20.0},
    age_ms=12.0,
    stages_ms={"infer": 3.0},
    faces=1,
    silent=False,
    since_image=0.01,
    since_face=0.01,
)
GONE = replace(WELL, silent=True, since_image=4.2, rate_in=0.0, rate_out=0.0)
LISTENING = Situation("", "/image_raw", 1, "best_effort")
ALONE = replace(LISTENING, publishers=0)

CASES: dict[str, tuple[CameraFigures, Situation, bytes, list[str]]] = {
    "no publisher": (FRESH, ALONE, WARN, ["no images yet", "/image_raw has no publisher"]),
    "a publisher, but no image": (FRESH, LISTENING, WARN, ["no images yet", "lost in transport"]),
    "a publisher whose quality of service does not fit": (
        replace(FRESH, incompatible_qos="reliability"),
        replace(LISTENING, reliability="reliable"),
        ERROR,
        ["QoS mismatch", "image_reliability", "qos_overrides./image_raw.subscription.reliability"],
    ),
    "a publisher that did not fit went away": (
        replace(FRESH, incompatible_qos="reliability"),
        ALONE,
        WARN,
        ["no images yet", "has no publisher"],
    ),
    "the camera stopped": (GONE, LISTENING, ERROR, ["no images on /image_raw for 4.2 s"]),
    "the camera went away": (GONE, ALONE, ERROR, ["for 4.2 s", "publisher is gone"]),
    "compressed images on the topic of raw ones": (
        FRESH,
        replace(ALONE, other_types=("sensor_msgs/msg/CompressedImage",)),
        ERROR,
        [
            "/image_raw has the type sensor_msgs/msg/CompressedImage",
            "image_transport=raw takes sensor_msgs/msg/Image",
            "set image_transport to compressed",
        ],
    ),
    "raw images on the topic of compressed ones": (
        FRESH,
        replace(ALONE, transport="compressed", other_types=("sensor_msgs/msg/Image",)),
        ERROR,
        ["has the type sensor_msgs/msg/Image", "set image_transport to raw"],
    ),
    "a video on the topic of raw images": (
        FRESH,
        replace(ALONE, other_types=("foxglove_msgs/msg/CompressedVideo",)),
        ERROR,
        ["has the type foxglove_msgs/msg/CompressedVideo", "set image_transport to foxglove"],
    ),
    "a video without its key frame": (
        replace(WELL, rate_out=0.0, bad={"key_frame": 9}, lost_by="key_frame", faces=0),
        LISTENING,
        WARN,
        ["waits for a key frame", "gop_size"],
    ),
    "no images at all on the topic": (
        FRESH,
        replace(ALONE, other_types=("std_msgs/msg/String",)),
        ERROR,
        ["has the type std_msgs/msg/String", "remap image_raw"],
    ),
    "images only beside the topic": (
        FRESH,
        replace(ALONE, other_transport="compressed", other_topic="/image_raw/compressed"),
        WARN,
        ["published on /image_raw/compressed", "set image_transport to compressed"],
    ),
    "the camera came back": (
        replace(WELL, returned_after=12.3),
        LISTENING,
        OK,
        ["back", "12.3 s"],
    ),
    "every image is bad": (
        replace(WELL, rate_out=0.0, bad={"step": 9}, lost_by="step", faces=0),
        LISTENING,
        ERROR,
        ["none is valid"],
    ),
    "the engine fails": (
        replace(WELL, rate_out=0.0, bad={"engine_failed": 9}, lost_by="engine_failed", faces=0),
        LISTENING,
        ERROR,
        ["the engine fails"],
    ),
    "a slow camera with a remark on each image": (
        replace(WELL, rate_out=0.0, bad={"sixteen_bit": 9}),
        LISTENING,
        OK,
        ["1 face"],
    ),
    "too slow": (
        replace(WELL, rate_out=12.0, rate_dropped=18.0),
        LISTENING,
        WARN,
        ["slow", "12.0 of 30.0", "detection_interval"],
    ),
    "a drop now and then": (replace(WELL, rate_dropped=1.0), LISTENING, OK, ["1 face"]),
    "two faces": (replace(WELL, faces=2), LISTENING, OK, ["2 faces"]),
    "no face yet": (replace(WELL, faces=0, since_face=None), LISTENING, OK, ["no face"]),
    "no face now": (replace(WELL, faces=0, since_face=7.5), LISTENING, OK, ["7.5 s"]),
    "not listening": (FRESH, replace(ALONE, idle="disabled"), OK, ["disabled"]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named(case: str) -> None:
    figures, situation, level, words = CASES[case]
    found_level, message = assess_camera(figures, situation)
    assert found_level == level
    for word in words:
        assert word in message


def test_the_figures_are_shown() -> None:
    values = camera_values(replace(WELL, bad={"step": 2, "encoding": 1}), LISTENING)
    assert values["images_received"] == "300"
    assert values["rate_in_hz"] == "30.0"
    assert values["latency_p95_ms"] == "11.0"
    assert values["stamp_age_p50_ms"] == "12.0"
    assert values["stage.infer_ms"] == "3.00"
    assert values["bad_input"] == "3"
    assert values["bad_input.step"] == "2"
    assert values["bad_input.encoding"] == "1"


def test_unknown_values_are_omitted() -> None:
    values = camera_values(FRESH, ALONE)
    assert not [key for key in values if key.startswith(("latency", "stamp_age", "stage"))]
