"""What can be set about the pipeline, with its ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edan_ros.core.smoothing import SmoothingConfig
from edan_ros.tracking.tracker import TrackingConfig


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """All settings of the pipeline; may be replaced while it runs.

    detection_interval: most images from one search by the detector to the next while every face
    is followed, at least 1; faces that move fast bring the next search forward; nobody, or
    somebody lost, is searched for in every image. Under overload searches are three times rarer.
    presence_threshold: 0 to 1, presence at which a crop counts as a face; 0 takes the model's.
    max_faces: faces an image, at least 1; those followed longest first, then the best detections.
    max_yaw, max_pitch: degrees, 0 to 90, by which a head may be turned away from the camera,
    sideways and up or down, before its label is 'unknown'; 99 % of the people in the photographs
    of landmarks68 stay within 36 degrees of yaw and 30 of pitch.
    max_gap: seconds between two images beyond which all tracks are dropped.
    min_face_size: pixels, mean side of the box of a face, below which its label is 'unknown'.
    prior_strength: 0 to 1, weight of the class frequencies of the training set: 0 assumes that all
    emotions are equally likely, 1 that they are as frequent as in the training set. Models without
    a class prior in their manifest ignore it.
    resting_baseline: classify each face relative to the resting face of the person.

    Raises ValueError, with a sentence for the user, when a value is out of its range.
    """

    detection_interval: int = 10
    presence_threshold: float = 0.0
    max_faces: int = 16
    max_yaw: float = 40.0
    max_pitch: float = 30.0
    max_gap: float = 2.0
    min_face_size: float = 16.0
    prior_strength: float = 0.5
    resting_baseline: bool = True
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        check_range("detection_interval", self.detection_interval, 1, 1000)
        check_range("presence_threshold", self.presence_threshold, 0.0, 1.0)
        check_range("max_faces", self.max_faces, 1, 256)
        check_range("max_yaw", self.max_yaw, 0.0, 90.0)
        check_range("max_pitch", self.max_pitch, 0.0, 90.0)
        check_range("max_gap", self.max_gap, 0.0, 3600.0)
        check_range("min_face_size", self.min_face_size, 0.0, 1000.0)
        check_range("prior_strength", self.prior_strength, 0.0, 1.0)
        check_range("memory", self.tracking.memory, 0.0, 60.0)
        check_range("birth_hits", self.tracking.birth_hits, 1, 100)
        check_range("birth_presence", self.tracking.birth_presence, 0.0, 1.0)
        check_range("time_constant", self.smoothing.time_constant, 0.0, 60.0)
        check_range("confidence_threshold", self.smoothing.confidence_threshold, 0.0, 1.0)
        check_range("margin", self.smoothing.margin, 0.0, 1.0)
        check_range("min_dwell", self.smoothing.min_dwell, 0.0, 60.0)


#: The emotion node's parameters that are settings of these records under another name.
_TRACKING = {
    "track_memory": "memory",
    "birth_hits": "birth_hits",
    "birth_presence": "birth_presence",
}
_SMOOTHING = {
    "smoothing_time": "time_constant",
    "confidence_threshold": "confidence_threshold",
    "switch_margin": "margin",
    "min_dwell": "min_dwell",
}
_PIPELINE = (
    "detection_interval",
    "presence_threshold",
    "max_faces",
    "max_yaw",
    "max_pitch",
    "max_gap",
    "min_face_size",
    "prior_strength",
    "resting_baseline",
)

#: Names that ``pipeline_config`` reads.
SETTINGS = (*_PIPELINE, *_TRACKING, *_SMOOTHING)


def pipeline_config(values: Mapping[str, Any]) -> PipelineConfig:
    """The settings by the names of the emotion node's parameters; what is missing is the default.

    Raises ValueError, with a sentence for the user, when a value is out of its range.
    """
    tracking = {field: values[name] for name, field in _TRACKING.items() if name in values}
    smoothing = {field: values[name] for name, field in _SMOOTHING.items() if name in values}
    return PipelineConfig(
        **{name: values[name] for name in _PIPELINE if name in values},
        tracking=TrackingConfig(**tracking),
        smoothing=SmoothingConfig(**smoothing),
    )


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError unless low <= value <= high (NaN is out of every range)."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, must be {low} to {high}")
