"""The passes of `edan annotate` over a recording, and over a live camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from edan_ros.core.faces import FrameResult
from edan_ros.core.inference import Manifest
from edan_ros.offline.two_pass import TwoPassSmoother, second_pass
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.recording.annotations import Annotations
from edan_ros.recording.summary import Summary
from edan_ros.sources import Frame, Source

#: Seconds for which results are still drawn after a stop was requested.
_DRAWING_AFTER_STOP = 5.0


@dataclass
class RecordingRun:
    """Annotates one recording or camera.

    Call ``process``, and then ``draw`` with what it returns, which needs no folder before: the
    emotions of a recording are smoothed in both directions of time, so it is read twice. Images of
    a camera are drawn at once.

    Attributes:
        source: the recording.
        pipeline: has not seen another one.
        model: manifest of its model.
        stopped: whether to stop before the end.
        on_image: called after each image of a pass.
        seconds: length to process, None for all.
        complete: whether the end was reached.
        summary: counts of what was drawn.
    """

    source: Source
    pipeline: Pipeline
    model: Manifest
    stopped: Callable[[], bool]
    on_image: Callable[[], None]
    seconds: float | None = None

    def __post_init__(self) -> None:
        self.complete = False
        self.summary = Summary()

    def process(self) -> list[FrameResult]:
        """Return the results of a recording. A stop or an interruption keeps those so far."""
        smoother = TwoPassSmoother(self.pipeline.config, self.model)
        self._run(lambda frame, result: smoother.add(frame.time, result))
        return smoother.finish()

    def follow(self, annotations: Callable[[], Annotations]) -> None:
        """Annotate a live camera until ``seconds`` or a stop, its regular ends.

        annotations: opens the writer for the first image, and returns it for every one.
        """
        self._run(lambda frame, result: self._add(annotations(), frame, result))
        self.complete = True

    def draw(self, annotations: Annotations, results: Sequence[FrameResult]) -> None:
        """Draw results into the images of the recording, after a stop for a few seconds more."""
        end, may_stop = time.monotonic() + _DRAWING_AFTER_STOP, self.complete
        drawn = 0
        try:
            with closing(second_pass(self.source.frames(), results)) as pairs:
                for frame, result in pairs:
                    if self.stopped() if may_stop else time.monotonic() > end:
                        break
                    self._add(annotations, frame, result)
                    drawn += 1
                    self.on_image()
        except KeyboardInterrupt:
            pass
        self.complete = self.complete and drawn == len(results)

    def _run(self, use: Callable[[Frame, FrameResult], None]) -> None:
        try:
            with closing(self.source.frames()) as frames:
                for frame in frames:
                    if self.stopped():
                        return
                    if self.seconds is not None and frame.time > self.seconds:
                        break
                    use(frame, self.pipeline.process(frame.image, frame.time, frame.camera))
                    self.on_image()
        except KeyboardInterrupt:
            return
        self.complete = True

    def _add(self, annotations: Annotations, frame: Frame, result: FrameResult) -> None:
        stamp = round(frame.time * 1e9) if frame.stamp_ns is None else frame.stamp_ns
        annotations.add(frame.time, stamp, frame.image, result)
        self.summary.add(frame.time, None, result)
