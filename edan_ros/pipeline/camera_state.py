"""The memory of one camera: its clock, tracks and faces, from one image to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.action_units import ActionUnits, emfacs_consistency
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import (
    EMOTIONS,
    POLARITY_UNKNOWN,
    UNKNOWN,
    label_of,
    polarity_probabilities,
    valence_arousal,
)
from edan_ros.core.faces import Box, CameraModel, Detection, Face, HeadPose
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.core.head_pose import assumed_camera, estimate_pose, turned_away
from edan_ros.core.smoothing import EmotionSmoother, Smoothed
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.tracking.track import Track
from edan_ros.tracking.tracker import Request, Sight, Tracker

#: Time between images that carry the same stamp, as those of a driver that sets none do.
_NOMINAL_STEP = 1.0 / 30.0
#: The detector runs again once a face has gone this far, in its own sizes: the picture is no longer
#: the one that was searched.
_FAR = 0.5
#: How many times rarer it runs while images come faster than they are worked on.
_SHED = 3
#: How much less than the limit a head must be turned to be read again.
_TURN_HYSTERESIS = math.radians(5.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the network says of one crop, in image pixels and probabilities.

    crop: what it saw. landmarks: (68, 2). probabilities: (7,). presence: 0 to 1. attention:
    (7, h, w).
    """

    crop: Crop
    landmarks: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    presence: float
    attention: NDArray[np.float32]


@dataclass(slots=True)
class _FaceMemory:
    smoother: EmotionSmoother = field(default_factory=EmotionSmoother)
    units: ActionUnits = field(default_factory=ActionUnits)
    turned: bool = False
    #: Seconds since the last image that the smoother, and that the units took in.
    unread: float = 0.0
    unmeasured: float = 0.0


class Stream:
    """One camera's images in the order of their stamps. ``ids`` numbers the tracks."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._tracker = Tracker(ids)
        self._memories: dict[int, _FaceMemory] = {}
        self._stamp: float | None = None
        self._elapsed = 0.0
        self._since_detection = math.inf
        self._way = 0.0

    def continues(self, stamp: float, max_gap: float) -> bool:
        """Whether an image of this stamp (seconds) follows on the last one."""
        return self._stamp is None or 0.0 <= stamp - self._stamp <= max_gap

    def is_after(self, stamp: float) -> bool:
        """Whether the last image has a later stamp than this."""
        return self._stamp is not None and self._stamp > stamp

    def begin(self, stamp: float, config: PipelineConfig, late: bool = False) -> bool:
        """Move on to the image of this stamp; whether the detector is due on it.

        late: images come faster than they are worked on.
        """
        self._elapsed = self._time_to(stamp)
        due = self._is_due(self._elapsed, config, late)
        self._stamp = stamp
        self._way += self._speed() * self._elapsed
        self._since_detection += 1
        self._tracker.predict(self._elapsed, config.tracking)
        return due

    def detail(self, stamp: float, config: PipelineConfig, late: bool = False) -> float:
        """Side in pixels of the smallest crop that the image of this stamp will be asked for.

        0.0 where the detector will run on it, which looks for faces of every size.
        """
        if self._is_due(self._time_to(stamp), config, late):
            return 0.0
        return min((t.crop.side for t in self._tracker.tracks if t.live), default=0.0)

    def _time_to(self, stamp: float) -> float:
        if self._stamp is None:
            return 0.0
        elapsed = stamp - self._stamp
        return elapsed if elapsed > 0.0 else _NOMINAL_STEP

    def _is_due(self, elapsed: float, config: PipelineConfig, late: bool) -> bool:
        """Whether the next image, ``elapsed`` seconds after the last, is one to be searched."""
        patience = _SHED if late else 1
        images = self._since_detection + 1
        if self._tracker.needs_detection:
            return images >= patience
        way = self._way + self._speed() * elapsed
        return images >= config.detection_interval * patience or way >= _FAR * patience

    def _speed(self) -> float:
        """Of the fastest face, in its own sizes a second."""
        return max(
            (
                float(np.hypot(*track.velocity)) * CROP_SCALE / track.crop.side
                for track in self._tracker.tracks
                if track.live
            ),
            default=0.0,
        )

    def requests(self, detections: list[Detection], config: PipelineConfig) -> list[Request]:
        """The crops to look at, given what the detector found (nothing where it did not run)."""
        return self._tracker.requests(detections, config.max_faces)

    def detected(self) -> None:
        """The detector ran on this image."""
        self._since_detection = 0
        self._way = 0.0

    def answers(
        self,
        requests: Sequence[Request],
        readings: Sequence[Reading],
        threshold: float,
        config: PipelineConfig,
    ) -> list[tuple[Track, Reading]]:
        """Take in the readings of all requested crops: the faces among them, with their tracks."""
        sights = [Sight(reading.landmarks, reading.presence) for reading in readings]
        found = self._tracker.update(requests, sights, threshold, config.tracking)
        return [(track, readings[number]) for number, track in found]

    def faces(
        self,
        answers: list[tuple[Track, Reading]],
        size: tuple[int, int],
        camera: CameraModel | None,
        config: PipelineConfig,
    ) -> list[Face]:
        """The faces to report in this image of (width, height) pixels, oldest track first."""
        self._memories = {
            t.id: self._memories.get(t.id) or _FaceMemory() for t in self._tracker.tracks
        }
        for memory in self._memories.values():
            memory.unread += self._elapsed
            memory.unmeasured += self._elapsed
        faces = [
            (track.confirmed, self._face(track, reading, size, camera, config))
            for track, reading in sorted(answers, key=lambda answer: answer[0].id)
        ]
        return [face for confirmed, face in faces if confirmed]

    def _face(
        self,
        track: Track,
        reading: Reading,
        size: tuple[int, int],
        camera: CameraModel | None,
        config: PipelineConfig,
    ) -> Face:
        memory = self._memories[track.id]
        pose = estimate_pose(reading.landmarks, camera or assumed_camera(*size))
        memory.turned = _is_turned(pose, memory.turned, config)
        smoothed = memory.smoother.update(
            reading.probabilities, memory.unread, config.smoothing, readable=not memory.turned
        )
        memory.unread = 0.0
        # Foreshortening would pass for expression, and be learned as this person's neutral face.
        units: dict[str, float] = {}
        if not memory.turned:
            neutrality = float(reading.probabilities[EMOTIONS.index("neutral")])
            units = memory.units.update(reading.landmarks, memory.unmeasured, neutrality)
            memory.unmeasured = 0.0
        head_pose = pose if camera is not None else None
        return make_face(track, reading, smoothed, memory.turned, head_pose, units)


def _is_turned(pose: HeadPose | None, turned: bool, config: PipelineConfig) -> bool:
    if pose is None:
        return turned
    slack = _TURN_HYSTERESIS if turned else 0.0
    yaw, pitch = turned_away(pose)
    return (
        abs(yaw) > math.radians(config.max_yaw) - slack
        or abs(pitch) > math.radians(config.max_pitch) - slack
    )


def make_face(
    track: Track,
    reading: Reading,
    smoothed: Smoothed,
    turned: bool,
    head_pose: HeadPose | None,
    action_units: dict[str, float],
) -> Face:
    """The record of a face. One that is turned too far has no polarity, valence or arousal."""
    p = smoothed.probabilities
    polarity = polarity_probabilities(p)
    valence, arousal = (math.nan, math.nan) if turned else valence_arousal(p)
    known = smoothed.emotion != UNKNOWN
    return Face(
        track_id=track.id,
        box=Box.from_landmarks(track.landmarks),
        presence=reading.presence,
        landmarks=track.landmarks,
        emotion=smoothed.emotion,
        label=label_of(smoothed.emotion),
        confidence=smoothed.confidence,
        probabilities=p,
        raw_probabilities=reading.probabilities,
        polarity=int(polarity.argmax()) if known else POLARITY_UNKNOWN,
        polarity_probabilities=polarity,
        valence=valence,
        arousal=arousal,
        head_pose=head_pose,
        action_units=action_units,
        emfacs_consistency=emfacs_consistency(action_units, label_of(smoothed.emotion)),
        attention=reading.attention,
        crop=reading.crop,
    )
