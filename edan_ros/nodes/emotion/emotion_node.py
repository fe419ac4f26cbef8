"""The emotion node: camera images in, one FaceEmotionArray an image out.

A lifecycle node. configure loads the model, activate subscribes, deactivate and cleanup undo
both. The executor's thread only receives; one worker does the rest (see recognition.py).
"""

from __future__ import annotations

import functools
import itertools
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from edan_ros.detection.base import Detector, DetectorError
from edan_ros.detection.factory import create_detector
from edan_ros.drawing.privacy import PRIVACY_THRESHOLD
from edan_ros.engines import Engine, EngineError, create_engine
from edan_ros.engines.onnxruntime import default_threads
from edan_ros.nodes.common.parameters import ParameterSet
from edan_ros.nodes.common.reporting import Health
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.emotion import diagnostics, services
from edan_ros.nodes.emotion.camera_input import CameraOptions
from edan_ros.nodes.emotion.emotion_parameters import (
    DETECTOR_PARAMETERS,
    PARAMETERS,
    TOPIC,
    check,
)
from edan_ros.nodes.emotion.recognition import Recognition
from edan_ros.pipeline.config import pipeline_config
from edan_ros.srv import AnalyzeImage, ExplainFace

SUCCESS = TransitionCallbackReturn.SUCCESS

Transition = Callable[["EmotionNode", LifecycleState], TransitionCallbackReturn]


def _transition(target: str) -> Callable[[Callable[..., None]], Transition]:
    """Makes a method a transition to the state ``target``: it fails by raising.

    A missing or wrong model or detector is a failure; anything else an error, which is logged
    here because rclpy would swallow it.
    """

    def decorate(step: Callable[..., None]) -> Transition:
        @functools.wraps(step)
        def transition(node: EmotionNode, state: LifecycleState) -> TransitionCallbackReturn:
            try:
                step(node, state)
            except (EngineError, DetectorError) as error:
                return node._fail(TransitionCallbackReturn.FAILURE, str(error))
            except Exception:
                return node._fail(TransitionCallbackReturn.ERROR, traceback.format_exc())
            node._state = target
            return SUCCESS

        return transition

    return decorate


class EmotionNode(LifecycleNode):
    """Finds the faces of one or several cameras and how they look.

    node_name, **kwargs: as for rclpy's Node. make_engine, make_detector: create_engine and
    create_detector, or what stands in for them.

    Raises rclpy's ParameterException where a parameter given from outside is not valid.
    """

    def __init__(
        self,
        node_name: str = "emotion_node",
        *,
        make_engine: Callable[..., Any] = create_engine,
        make_detector: Callable[..., Any] = create_detector,
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._make_engine = make_engine
        self._make_detector = make_detector
        self._state = "unconfigured"
        self._failure = self._progress = ""
        self._progress_reported = 0.0  # time.monotonic
        self._enabled = True
        self._recognition: Recognition | None = None
        self._track_ids = itertools.count(1)  # of the node's life: no id means two people
        self._settings = ParameterSet(
            self,
            PARAMETERS,
            may_configure=lambda: self._recognition is None,
            check=check,
            apply=self._apply,
        )
        self.create_service(AnalyzeImage, "~/analyze", self._on_analyze)
        self.create_service(ExplainFace, "~/explain", self._on_explain)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.health = Health(self, self._statuses)
        if self._settings["autostart"]:
            # Steady time: simulated time may stand still.
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._autostart = self.create_timer(0.0, self._start, clock=steady)

    def _start(self) -> None:
        """Once, as soon as the node spins: configure and activate, unless somebody else has."""
        self.destroy_timer(self._autostart)
        if self._state == "unconfigured" and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    @_transition("inactive")
    def on_configure(self, state: LifecycleState) -> None:
        """Load the model, make the detector, announce the topics."""
        self._state, self._failure, self._progress = "configuring", "", ""
        self.health.publish()  # what follows takes minutes where an engine is built
        values = self._settings.values
        self._recognition = Recognition(
            self,
            self._engine(values),
            self._detector(values),
            pipeline_config(values),
            values["cameras"],
            CameraOptions(
                values["image_transport"],
                values["image_reliability"],
                values["rectified"],
                values["boxes_of"] if values["detector"] == TOPIC else None,
            ),
            self._track_ids,
        )
        self._recognition.draw_attention = values["attention_overlay"]
        self._recognition.set_silence(values["silence_timeout"])
        self._set_privacy(values)
        self._recognition.announce()
        engine = self._recognition.engine
        self.get_logger().info(
            f"configured: {diagnostics.describe(engine)}: {engine.selection_reason}; "
            f"detector {self._recognition.detector}"
        )
        super().on_configure(state)

    @_transition("active")
    def on_activate(self, state: LifecycleState) -> None:
        """Begin to receive images."""
        super().on_activate(state)
        if self._enabled:
            self._recognition.start()
        topics = [camera.topic for camera in self._recognition.cameras.values()]
        self.get_logger().info(f"active: listening to {', '.join(topics)}")

    @_transition("inactive")
    def on_deactivate(self, state: LifecycleState) -> None:
        """Receive no more images, and forget every track."""
        self._recognition.stop()
        super().on_deactivate(state)

    @_transition("unconfigured")
    def on_cleanup(self, state: LifecycleState) -> None:
        """Let go of the model and the topics."""
        super().on_cleanup(state)
        self._release()

    @_transition("finalized")
    def on_shutdown(self, state: LifecycleState) -> None:
        """Let go of everything, from whatever state."""
        super().on_shutdown(state)
        self._release()

    @_transition("unconfigured")
    def on_error(self, state: LifecycleState) -> None:
        """Let go of everything; the node can be configured again."""
        super().on_error(state)
        self._release()

    def destroy_node(self) -> None:
        """Let go of everything, and of the node itself."""
        self._release()
        super().destroy_node()

    def _release(self) -> None:
        if self._recognition is not None:
            self._recognition.close()
            self._recognition = None

    def _fail(self, outcome: TransitionCallbackReturn, why: str) -> TransitionCallbackReturn:
        """Remember and say why a transition did not succeed, and let go of what it began."""
        self.get_logger().error(f"{self._state} failed: {why}")
        self._state, self._failure = "unconfigured", why
        self._release()
        return outcome

    def _engine(self, values: Mapping[str, Any]) -> Engine:
        return self._make_engine(
            values["engine"],
            values["model"],
            threads=values["threads"],
            cameras=len(values["cameras"]),
            log=self.get_logger().warning,
            progress=self._on_build,
        )

    def _on_build(self, share: float) -> None:
        """Tell how far the build of an engine is, once a second.

        The engine's threads call this while the executor waits for it in on_configure.
        """
        now = time.monotonic()
        if now - self._progress_reported >= 1.0:
            self._progress_reported = now
            self._progress = f"building the engine, {100 * share:.0f} % done"
            self.health.publish()

    def _set_privacy(self, values: Mapping[str, Any]) -> None:
        mode, find = values["annotated_privacy"], None
        if mode == "blur":
            # One of its own: whom the other is not sure of is covered too.
            threshold = min(PRIVACY_THRESHOLD, values["detector_threshold"])
            find = self._detector({**values, "detector_threshold": threshold}).detect
        self._recognition.set_privacy(mode, find)

    def _detector(self, values: Mapping[str, Any]) -> Detector:
        name = "auto" if values["detector"] == TOPIC else values["detector"]
        return self._make_detector(
            name,
            model_path=values["detector_model"],
            score_threshold=values["detector_threshold"],
            min_face=values["min_face"],
            max_side=values["detector_max_side"],
            engine=values["engine"],
            log=self.get_logger().warning,
            progress=self._on_build,
            threads=values["threads"] or default_threads(len(values["cameras"])),
        )

    def _apply(self, values: Mapping[str, Any], changed: set[str]) -> None:
        """Take over what changed while the node runs. Raises ValueError where it cannot."""
        if self._recognition is None:
            return
        try:
            found = self._detector(values) if changed & DETECTOR_PARAMETERS else None
            if changed & {"annotated_privacy", *DETECTOR_PARAMETERS}:
                self._set_privacy(values)
        except (EngineError, DetectorError) as error:
            raise ValueError(str(error)) from error
        if found is not None:
            self._recognition.replace_detector(found)
        self._recognition.replace_config(pipeline_config(values))
        self._recognition.draw_attention = values["attention_overlay"]
        self._recognition.set_silence(values["silence_timeout"])

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data != self._enabled and self._state == "active":
            if request.data:
                self._recognition.start()
            else:
                self._recognition.stop()
        self._enabled = request.data
        response.success = True
        response.message = "enabled" if request.data else "disabled"
        if self._state != "active":
            response.message += f"; takes effect when the node is active (it is {self._state})"
        return response

    def _on_analyze(
        self, request: AnalyzeImage.Request, response: AnalyzeImage.Response
    ) -> AnalyzeImage.Response:
        if self._recognition is None:
            response.message = self._not_configured()
        else:
            rectified = self._settings["rectified"]
            services.analyze(self._recognition, request, response, rectified=rectified)
            self._recognition.excuse()
        return response

    def _on_explain(
        self, request: ExplainFace.Request, response: ExplainFace.Response
    ) -> ExplainFace.Response:
        if self._recognition is None:
            response.message = self._not_configured()
        else:
            services.explain(self._recognition, request, response)
            self._recognition.excuse()
        return response

    def _not_configured(self) -> str:
        return f"the node is {self._state}: {self._failure or 'configure it first'}"

    def _statuses(self) -> list[DiagnosticStatus]:
        remark = self._progress if self._state == "configuring" else self._failure
        recognition, status = self._recognition, self.health.status
        statuses = [diagnostics.model_status(status, self._state, remark, recognition)]
        if recognition is not None:
            statuses += [
                diagnostics.camera_status(status, camera, self._idle())
                for camera in recognition.cameras.values()
            ]
        return statuses

    def _idle(self) -> str:
        """Why the node does not listen to its cameras; "" if it does."""
        if self._state != "active":
            return f"not listening: the node is {self._state}"
        return "" if self._enabled else "not listening: disabled by the service ~/enable"


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(EmotionNode, args)
