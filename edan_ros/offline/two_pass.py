"""Second pass over a recording: smoothing in both directions and the resting face of each track."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.inference import Manifest, class_probabilities
from edan_ros.core.resting import RestingBaseline
from edan_ros.core.smoothing import DECIDED, smooth_recording
from edan_ros.pipeline.camera_state import TURNED_AWAY, emotion_fields
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.sources.base import Frame


class TwoPassSmoother:
    """Collects the results of a whole recording and smooths its emotions again.

    On a camera the emotion of an image can only depend on earlier images. In a recording the
    later ones are known too: labels then change when the face does, and the resting face of a
    person is known from the first image on.

    Args:
        config: settings of the pipeline that made the results.
        model: manifest of its model.
    """

    def __init__(self, config: PipelineConfig, model: Manifest) -> None:
        self._config, self._model = config, model
        self._stamps: list[float] = []
        self._results: list[FrameResult] = []

    def add(self, stamp: float, result: FrameResult) -> None:
        """Add the result of the next image.

        Args:
            stamp: seconds, not before that of the last image.
            result: its faces; their crops and attention maps are dropped to save memory.
        """
        faces = [replace(face, crop=None, attention=None) for face in result.faces]
        self._stamps.append(stamp)
        self._results.append(replace(result, faces=faces))

    def finish(self) -> list[FrameResult]:
        """Return the results in the order they were added, with smoothed emotions.

        Probabilities, labels, valence, arousal, intensity and what follows from them are new;
        boxes, landmarks, poses and raw probabilities stay as they were.
        """
        tracks: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for i, result in enumerate(self._results):
            for k, face in enumerate(result.faces):
                tracks[face.track_id].append((i, k))
        for places in tracks.values():
            faces = [self._results[i].faces[k] for i, k in places]
            stamps = [self._stamps[i] for i, _ in places]
            for (i, k), face in zip(places, self._smooth(faces, stamps), strict=True):
                self._results[i].faces[k] = face
        return self._results

    def _smooth(self, faces: list[Face], stamps: list[float]) -> list[Face]:
        """Return the faces of one track with smoothed emotions."""
        logits = np.array([face.logits for face in faces], np.float64)
        excluded = [face.excluded for face in faces]
        intensities, seconds = [math.nan] * len(faces), 0.0
        if self._config.resting_baseline and self._model.resting_logits:
            baseline = RestingBaseline(self._model.resting_logits)
            steps = np.diff(stamps, prepend=stamps[0])
            for row, step, reason in zip(logits, steps, excluded, strict=True):
                if reason == DECIDED:
                    baseline.update(row, float(step))
            seconds = baseline.seconds
            intensities = [
                math.nan if reason else baseline.intensity(row)
                for row, reason in zip(logits, excluded, strict=True)
            ]
            logits = np.array([baseline.adjust(row) for row in logits])
        raw = class_probabilities(logits, self._model, self._config.prior_strength)
        smoothed = smooth_recording(raw, stamps, self._config.smoothing, excluded)
        return [
            replace(
                face,
                **emotion_fields(emotion, face.action_units, turned=face.excluded == TURNED_AWAY),
                intensity=intensity,
                baseline_seconds=seconds,
            )
            for face, emotion, intensity in zip(faces, smoothed, intensities, strict=True)
        ]


def second_pass(
    frames: Generator[Frame, None, None], results: Sequence[FrameResult]
) -> Generator[tuple[Frame, FrameResult], None, None]:
    """Yield the frames of a recording that is read again, each with its smoothed result.

    Args:
        frames: the recording from its first frame on; closed at the end.
        results: as returned by ``TwoPassSmoother.finish`` after the first pass, possibly of the
            first part of the recording only.
    """
    with closing(frames):
        for result, frame in zip(results, frames, strict=False):
            yield frame, result
