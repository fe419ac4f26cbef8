"""The state of one camera between images: clock, tracks and smoothed faces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edan_ros.core.action_units import ActionUnitEstimator, emfacs_consistency
from edan_ros.core.boxes import Box, bounding_boxes
from edan_ros.core.emotions import (
    EMOTIONS,
    POLARITY_UNKNOWN,
    UNKNOWN,
    UNKNOWN_REASONS,
    label_of,
    polarity_probabilities,
    valence_arousal,
)
from edan_ros.core.faces import CameraModel, Detection, Face, HeadPose, Observation
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.core.head_pose import angles_to_camera, assumed_camera, estimate_poses
from edan_ros.core.images import Image
from edan_ros.core.inference import EyeEngine, Manifest, class_probabilities
from edan_ros.core.resting import RestingBaseline
from edan_ros.core.smoothing import DECIDED, EmotionSmoother, Smoothed
from edan_ros.core.stamps import NOMINAL_STEP
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.cuts import CutDetector
from edan_ros.pipeline.eyes import OpenEyes, measure_eyes
from edan_ros.tracking.track import Track
from edan_ros.tracking.tracker import Candidate, Tracker

#: Distance in face sizes that the fastest face may move before the detector runs again, because
#: the last detections no longer describe the image.
_REDETECT_DISTANCE = 0.5
#: Detection runs this many times less often while images arrive faster than they are processed.
_OVERLOAD_FACTOR = 3
#: A head that turned too far must turn back this much below the limit to be recognised again.
_TURN_HYSTERESIS = math.radians(5.0)
_NEUTRAL = EMOTIONS.index("neutral")
TURNED_AWAY = UNKNOWN_REASONS.index("turned_away")
_TOO_SMALL = UNKNOWN_REASONS.index("too_small")


@dataclass(slots=True)
class _FaceState:
    """What is remembered of one track besides its motion.

    since_smoothed, since_measured: seconds since the last image that went into the smoother and
    into the action units. face: the last one that was reported.
    """

    smoother: EmotionSmoother = field(default_factory=EmotionSmoother)
    units: ActionUnitEstimator = field(default_factory=ActionUnitEstimator)
    turned: bool = False
    baseline: RestingBaseline | None = None
    since_smoothed: float = 0.0
    since_measured: float = 0.0
    face: Face | None = None
    open_eyes: OpenEyes = field(default_factory=OpenEyes)

    def resting(self, config: PipelineConfig, model: Manifest) -> RestingBaseline | None:
        """Return the resting baseline; None where it is off or the model does not support it."""
        if not (config.resting_baseline and model.resting_logits):
            self.baseline = None
        elif self.baseline is None:
            self.baseline = RestingBaseline(model.resting_logits)
        return self.baseline


class CameraState:
    """Tracks and faces of one camera, updated with its images in the order of their stamps.

    For each image call ``advance``, ``candidates``, ``update`` and ``faces``, in this order.

    Args:
        ids: yields the track ids.
    """

    def __init__(self, ids: Iterator[int]) -> None:
        self._tracker = Tracker(ids)
        self._cuts = CutDetector()
        self._faces: dict[int, _FaceState] = {}
        self._stamp: float | None = None
        self._elapsed = 0.0
        self._images_since_detection = math.inf
        self._motion_since_detection = 0.0
        self._decision: tuple[float, bool] | None = None

    @property
    def track_count(self) -> int:
        """Number of tracks in memory, live and lost."""
        return len(self._tracker.tracks)

    @property
    def omitted(self) -> int:
        """Number of faces of the current image beyond ``max_faces``."""
        return self._tracker.omitted

    @property
    def min_crop_side(self) -> float:
        """Side in pixels of the smallest crop of a live track; 0.0 without one."""
        return min((t.crop.side for t in self._tracker.tracks if t.live), default=0.0)

    def accepts_stamp(self, stamp: float, max_gap: float) -> bool:
        """Return whether an image with this stamp (seconds) continues the sequence."""
        return self._stamp is None or 0.0 <= stamp - self._stamp <= max_gap

    def is_after(self, stamp: float) -> bool:
        """Return whether the last image has a later stamp than this."""
        return self._stamp is not None and self._stamp > stamp

    def detection_due(
        self, stamp: float, config: PipelineConfig, *, overloaded: bool = False
    ) -> bool:
        """Return whether to run the detector on the next image, which has this stamp.

        The decision is made once per image: ``advance`` to the same stamp returns it again, even
        if the configuration or the load has changed in between.
        """
        if self._decision is None or self._decision[0] != stamp:
            self._decision = stamp, self._is_due(self._time_to(stamp), config, overloaded)
        return self._decision[1]

    def drop_tracks_at_cut(self, image: Image, stamp: float) -> bool:
        """Drop all tracks if the next image, which has this stamp, begins another shot.

        The detector is then due on it. Call this before ``advance``.

        Returns:
            Whether it does.
        """
        if not self._cuts.update(image, self._time_to(stamp)):
            return False
        self._tracker.drop_all()
        self._decision = None
        self._images_since_detection = math.inf
        return True

    def advance(self, stamp: float, config: PipelineConfig, *, overloaded: bool = False) -> bool:
        """Advance to the image with this stamp and return whether to run the detector on it.

        Args:
            stamp: acquisition time in seconds.
            config: settings of the pipeline.
            overloaded: images arrive faster than they are processed; detection then runs
                ``_OVERLOAD_FACTOR`` times less often.
        """
        due = self.detection_due(stamp, config, overloaded=overloaded)
        self._decision = None
        self._elapsed = self._time_to(stamp)
        self._stamp = stamp
        self._motion_since_detection += self._max_speed() * self._elapsed
        self._images_since_detection += 1
        self._tracker.predict(self._elapsed, config.tracking)
        return due

    def _time_to(self, stamp: float) -> float:
        if self._stamp is None:
            return 0.0
        elapsed = stamp - self._stamp
        return elapsed if elapsed > 0.0 else NOMINAL_STEP

    def _is_due(self, elapsed: float, config: PipelineConfig, overloaded: bool) -> bool:
        factor = _OVERLOAD_FACTOR if overloaded else 1
        images = self._images_since_detection + 1
        if self._tracker.needs_detection:
            return images >= factor
        motion = self._motion_since_detection + self._max_speed() * elapsed
        return images >= config.detection_interval * factor or motion >= _REDETECT_DISTANCE * factor

    def _max_speed(self) -> float:
        """Return the speed of the fastest live track in face sizes per second."""
        return max(
            (
                math.hypot(*track.velocity.tolist()) * CROP_SCALE / track.crop.side
                for track in self._tracker.tracks
                if track.live
            ),
            default=0.0,
        )

    def reset_detection_timer(self) -> None:
        """Record that the detector ran on the current image."""
        self._images_since_detection = 0
        self._motion_since_detection = 0.0

    def candidates(self, detections: list[Detection], config: PipelineConfig) -> list[Candidate]:
        """Return the crops to run the model on.

        Args:
            detections: output of the detector; empty where it did not run.
            config: settings of the pipeline.
        """
        return self._tracker.candidates(detections, config.max_faces)

    def carry(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates to measure; the others are still faces, carried over the image.

        Args:
            candidates: as returned by ``candidates`` for an image without detections.
        """
        return self._tracker.carry(candidates)

    def update(
        self,
        candidates: Sequence[Candidate],
        observations: Sequence[Observation],
        threshold: float,
        config: PipelineConfig,
    ) -> list[tuple[Track, Observation]]:
        """Update the tracks with one observation per candidate.

        Args:
            candidates: as returned by ``candidates`` for the current image.
            observations: of these candidates, in the same order.
            threshold: presence, 0 to 1, from which an observation counts as a face.
            config: settings of the pipeline.

        Returns:
            The tracks found in this image with their observations.
        """
        matches = self._tracker.update(candidates, observations, threshold, config.tracking)
        return [(track, observations[index]) for index, track in matches]

    def faces(
        self,
        observed: list[tuple[Track, Observation]],
        size: tuple[int, int],
        camera: CameraModel | None,
        config: PipelineConfig,
        model: Manifest,
    ) -> list[Face]:
        """Return the confirmed faces of the current image, oldest track first.

        Args:
            observed: as returned by ``update``.
            size: width and height of the image in pixels.
            camera: intrinsics for images of this size; None assumes a common lens.
            config: settings of the pipeline.
            model: manifest of the model that made the observations.
        """
        self._faces = {t.id: self._faces.get(t.id) or _FaceState() for t in self._tracker.tracks}
        for state in self._faces.values():
            state.since_smoothed += self._elapsed
            state.since_measured += self._elapsed
        measured = self._measured(observed, size, camera, config, model)
        for face in measured:
            self._faces[face.track_id].face = face
        before = [(self._faces[track.id].face, track) for track in self._tracker.carried]
        carried = [_carried(face, track) for face, track in before if face is not None]
        return sorted(measured + carried, key=lambda face: face.track_id)

    def measure_eyes(
        self,
        faces: Sequence[Face],
        image: Image,
        camera: CameraModel | None,
        engine: EyeEngine,
    ) -> None:
        """Measure the eyes of faces of the current image; those carried over it keep theirs.

        Args:
            faces: as returned by ``faces``.
            image: the current image.
            camera: as for ``faces``.
            engine: runs the eye network.
        """
        faces = [face for face in faces if face.age == 0.0]
        if faces:
            states = [self._faces[face.track_id].open_eyes for face in faces]
            measure_eyes(image, faces, states, self._elapsed, camera, engine)

    def _measured(
        self,
        observed: list[tuple[Track, Observation]],
        size: tuple[int, int],
        camera: CameraModel | None,
        config: PipelineConfig,
        model: Manifest,
    ) -> list[Face]:
        """Update the states of the observed tracks and return the faces of those confirmed."""
        if not observed:
            return []
        observed = sorted(observed, key=lambda pair: pair[0].id)
        lens = camera or assumed_camera(*size)
        poses = estimate_poses(np.stack([each.landmarks for _, each in observed]), lens)
        boxes = bounding_boxes(np.stack([track.landmarks for track, _ in observed])).tolist()
        visible = [
            _Visible(self._faces[track.id], observation, pose, Box(*box))
            for (track, observation), pose, box in zip(observed, poses, boxes, strict=True)
        ]
        for each in visible:
            each.exclude(config)
        emotions = _smooth(visible, config, model)
        units = _action_units(visible)
        return [
            Face(
                track_id=track.id,
                box=each.box,
                presence=observation.presence,
                landmarks=track.landmarks,
                raw_probabilities=observation.probabilities,
                head_pose=each.pose,
                head_pose_assumed_lens=each.pose is not None and camera is None,
                action_units=shown,
                attention=observation.attention,
                crop=observation.crop,
                logits=observation.logits,
                excluded=each.excluded,
                **emotion_fields(smoothed, shown, turned=each.state.turned),
                intensity=each.intensity,
                baseline_seconds=each.state.baseline.seconds if each.state.baseline else 0.0,
            )
            for (track, observation), each, smoothed, shown in zip(
                observed, visible, emotions, units, strict=True
            )
            if track.confirmed
        ]


def _carried(face: Face, track: Track) -> Face:
    """Return a face that was measured ``track.age`` seconds ago, where the track predicts it."""
    shift = (track.landmarks[0] - face.landmarks[0]).tolist()
    box = replace(face.box, x=face.box.x + shift[0], y=face.box.y + shift[1])
    crop = face.crop and replace(face.crop, center=face.crop.center + shift)
    return replace(face, landmarks=track.landmarks, box=box, crop=crop, age=track.age)


@dataclass(slots=True)
class _Visible:
    """A face of the current image between its observation and its Face.

    excluded, intensity: as in Face.
    """

    state: _FaceState
    observation: Observation
    pose: HeadPose | None
    box: Box
    excluded: int = DECIDED
    intensity: float = math.nan

    def exclude(self, config: PipelineConfig) -> None:
        """Decide whether the image counts for the emotion."""
        self.state.turned = _is_turned(self.pose, self.state.turned, config)
        if self.state.turned:
            self.excluded = TURNED_AWAY
        elif self.box.size < config.min_face_size:
            self.excluded = _TOO_SMALL


def _smooth(visible: Sequence[_Visible], config: PipelineConfig, model: Manifest) -> list[Smoothed]:
    """Update the resting baselines and smoothers; set the intensities."""
    elapsed = [each.state.since_smoothed for each in visible]
    excluded = [each.excluded for each in visible]
    # There is a baseline for every face or for none.
    baselines = [b for each in visible if (b := each.state.resting(config, model)) is not None]
    if baselines:
        logits = np.stack([each.observation.logits for each in visible])
        steps = [0.0 if each.excluded else each.state.since_smoothed for each in visible]
        adjusted, intensities = RestingBaseline.update_all(baselines, logits, steps)
        probabilities = class_probabilities(adjusted, model, config.prior_strength)
        for each, intensity in zip(visible, intensities, strict=True):
            each.intensity = math.nan if each.excluded else intensity
    else:
        probabilities = np.stack([each.observation.probabilities for each in visible])
    for each in visible:
        each.state.since_smoothed = 0.0
    smoothers = [each.state.smoother for each in visible]
    return EmotionSmoother.update_all(smoothers, probabilities, elapsed, config.smoothing, excluded)


def _action_units(visible: Sequence[_Visible]) -> list[dict[str, float]]:
    """Update the action units; none for a head turned too far.

    Foreshortening looks like expression and would be learned as the neutral face.
    """
    facing = [each for each in visible if not each.state.turned]
    if not facing:
        return [{} for _ in visible]
    found = iter(
        ActionUnitEstimator.update_all(
            [each.state.units for each in facing],
            np.stack([each.observation.landmarks for each in facing]),
            [each.state.since_measured for each in facing],
            [float(each.observation.probabilities[_NEUTRAL]) for each in facing],
        )
    )
    for each in facing:
        each.state.since_measured = 0.0
    return [{} if each.state.turned else next(found) for each in visible]


def emotion_fields(smoothed: Smoothed, units: dict[str, float], *, turned: bool) -> dict[str, Any]:
    """Return the fields of a Face that follow from its smoothed emotion.

    Args:
        smoothed: output of the smoother.
        units: action units of the face in this image.
        turned: the head is turned too far for valence and arousal.
    """
    p, label = smoothed.probabilities, label_of(smoothed.emotion)
    polarity = polarity_probabilities(p)
    valence, arousal = (math.nan, math.nan) if turned else valence_arousal(p)
    return {
        "emotion": smoothed.emotion,
        "label": label,
        "confidence": smoothed.confidence,
        "probabilities": p,
        "polarity": POLARITY_UNKNOWN if smoothed.emotion == UNKNOWN else int(polarity.argmax()),
        "polarity_probabilities": polarity,
        "valence": valence,
        "arousal": arousal,
        "emfacs_consistency": emfacs_consistency(units, label),
        "unknown_reason": smoothed.reason,
    }


def _is_turned(pose: HeadPose | None, turned: bool, config: PipelineConfig) -> bool:
    """Return whether the head is turned too far; ``turned`` is the state before."""
    if pose is None:
        return turned
    slack = _TURN_HYSTERESIS if turned else 0.0
    yaw, pitch = angles_to_camera(pose)
    return (
        abs(yaw) > math.radians(config.max_yaw) - slack
        or abs(pitch) > math.radians(config.max_pitch) - slack
    )
