"""Settings of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from edan_ros.core.settings import check_settings, setting
from edan_ros.core.smoothing import SmoothingConfig
from edan_ros.tracking.tracker import TrackingConfig

#: Most faces that ``max_faces`` allows; single images are limited to it by default.
MOST_FACES = 256


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """All settings of the pipeline; it may be replaced while the pipeline runs.

    The limits of yaw and pitch hold 99 % of the people in the photographs of landmarks68, who stay
    within 36 degrees of yaw and 30 of pitch.

    Raises SettingsError, a ValueError, when a value is out of its range.
    """

    detection_interval: int = setting(
        10,
        "the detector runs at least on every n-th image while all faces are tracked; sooner when a "
        "face moves fast, on every image without a face or with a lost one, and three times less "
        "often under overload",
        low=1,
        high=1000,
        unit="images",
    )
    presence_threshold: float = setting(
        0.0,
        "presence from which a crop counts as a face; 0 for the threshold of the model",
        low=0.0,
        high=1.0,
    )
    max_faces: int = setting(
        16,
        "most faces per image: those tracked longest, then the best detections",
        low=1,
        high=MOST_FACES,
        unit="faces",
    )
    max_yaw: float = setting(
        40.0,
        "rotation of a head to the side, away from the camera, beyond which its label is 'unknown'",
        low=0.0,
        high=90.0,
        unit="deg",
    )
    max_pitch: float = setting(
        30.0,
        "rotation of a head up or down, away from the camera, beyond which its label is 'unknown'",
        low=0.0,
        high=90.0,
        unit="deg",
    )
    max_gap: float = setting(
        2.0,
        "time between two images beyond which all tracks are dropped",
        low=0.0,
        high=3600.0,
        unit="s",
    )
    carry_still_faces: bool = setting(
        True,
        "while images arrive faster than they are processed, recognise faces that hardly move, up "
        "to half of them, on every other image and carry their results over the one between",
    )
    detect_cuts: bool = setting(
        True, "drop all tracks at a hard cut, where another shot of a recording begins"
    )
    min_face_size: float = setting(
        16.0,
        "size of a face (mean side of its box) below which its label is 'unknown'",
        low=0.0,
        high=1000.0,
        unit="px",
    )
    prior_strength: float = setting(
        0.2,
        "weight of the class frequencies of the training set: 0 assumes that all emotions are "
        "equally likely, 1 that they are as frequent as in the training set; models without a "
        "class prior ignore it",
        low=0.0,
        high=1.0,
    )
    resting_baseline: bool = setting(
        True, "classify each face relative to the resting face of the person"
    )
    eyes: bool = setting(True, "measure openness and gaze of the eyes of each face")
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        check_settings(self)
