"""The emotion node: camera images in, one FaceEmotionArray per image out.

A lifecycle node: configure loads the model, activate subscribes, deactivate and cleanup undo that.
The executor's thread only receives images; a worker thread processes them (recognition.py).
"""

from __future__ import annotations

import itertools
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from edan_ros.core.images.still_image import DecodeLimits
from edan_ros.core.settings import from_values
from edan_ros.detection.base import Detector, DetectorError
from edan_ros.detection.factory import create_detector
from edan_ros.drawing.privacy import PRIVACY_THRESHOLD
from edan_ros.engines import Engine, EngineError, create_engine, select_model
from edan_ros.engines.base import default_threads
from edan_ros.nodes.common.bond import Bond
from edan_ros.nodes.common.parameters import ParameterSet
from edan_ros.nodes.common.reporting import Health
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.topics import MissingMessagesError
from edan_ros.nodes.emotion import diagnostics, services
from edan_ros.nodes.emotion.camera_input import CameraInput, CameraOptions
from edan_ros.nodes.emotion.parameters import DETECTOR_PARAMETERS, PARAMETERS, TOPIC, check
from edan_ros.nodes.emotion.recognition import Recognition
from edan_ros.nodes.emotion.standard_outputs import STANDARD_OUTPUTS
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.sources import SourceError
from edan_ros.srv import AnalyzeImage, ExplainFace

SUCCESS = TransitionCallbackReturn.SUCCESS

Transition = Callable[["EmotionNode", LifecycleState], TransitionCallbackReturn]


def _transition(target: str) -> Callable[[Callable[..., None]], Transition]:
    """Turn a method into the transition to the state ``target``, which fails if it raises.

    A missing or wrong model, detector or message is a FAILURE; any other exception is an ERROR,
    which is logged here because rclpy would drop it.
    """

    def decorate(step: Callable[..., None]) -> Transition:
        @wraps(step)
        def transition(node: EmotionNode, state: LifecycleState) -> TransitionCallbackReturn:
            try:
                step(node, state)
            except (EngineError, DetectorError, MissingMessagesError, SourceError) as error:
                return node.fail(TransitionCallbackReturn.FAILURE, str(error))
            except Exception:
                return node.fail(TransitionCallbackReturn.ERROR, traceback.format_exc())
            node.enter(target)
            return SUCCESS

        return transition

    return decorate


class EmotionNode(LifecycleNode):
    """Recognises the faces and emotions in the images of one or several cameras.

    Args:
        node_name, **kwargs: as for rclpy's Node.
        make_engine, make_detector: create_engine and create_detector, or replacements.
        on_failed_start: called with the reason where the autostart fails; without it, the node
            waits to be configured again.

    Raises:
        rclpy.exceptions.ParameterException: a value from a file or the command line is not valid.
    """

    def __init__(
        self,
        node_name: str = "emotion_node",
        *,
        make_engine: Callable[..., Any] = create_engine,
        make_detector: Callable[..., Any] = create_detector,
        on_failed_start: Callable[[str], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._make_engine = make_engine
        self._make_detector = make_detector
        self._on_failed_start = on_failed_start
        self._state = "unconfigured"
        self._failure = self._progress = ""
        self._progress_reported = 0.0  # time.monotonic
        self._enabled = True
        self._recognition: Recognition | None = None
        self._track_ids = itertools.count(1)  # never reset, so that no id is used twice
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
        self._bond = self._create_bond()
        if self._settings["autostart"]:
            # Steady time: simulated time may stand still.
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._autostart = self.create_timer(0.0, self._start, clock=steady)

    def _create_bond(self) -> Bond | None:
        """Return the heartbeat for a lifecycle manager; None without one, or without `bond`."""
        period = self._settings["bond_heartbeat_period"]
        if self._settings["autostart"] or not period:
            return None
        try:
            return Bond(self, period)
        except MissingMessagesError as error:
            self.get_logger().info(
                f"{error}: where a lifecycle manager activates the node, set its bond_timeout to 0"
            )
            return None

    def _start(self) -> None:
        """Configure and activate once the node spins, unless that has been requested before."""
        self.destroy_timer(self._autostart)
        if self._state == "unconfigured" and not (
            self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS
        ):
            self._on_failed_start(self._failure)

    @_transition("inactive")
    def on_configure(self, state: LifecycleState) -> None:
        """Load the model, create the detector and the publishers."""
        self._state, self._failure, self._progress = "configuring", "", ""
        self.health.publish()  # the rest takes minutes where a TensorRT plan is built
        values = self._settings.values
        self._recognition = Recognition(
            self,
            self._engine(values),
            self._detector(values),
            from_values(PipelineConfig, values),
            values["cameras"],
            CameraOptions(
                values["image_transport"],
                values["image_reliability"],
                values["rectified"],
                values["boxes_of"] if values["detector"] == TOPIC else None,
                from_values(DecodeLimits, values),
                tuple(name for name in STANDARD_OUTPUTS if values[f"publish_{name}"]),
            ),
            self._track_ids,
        )
        self._recognition.draw_attention = values["attention_overlay"]
        self._recognition.set_silence_timeout(values["silence_timeout"])
        self._set_privacy(values)
        self._recognition.publish_model_info()
        engine = self._recognition.engine
        self.get_logger().info(
            f"configured: {diagnostics.engine_summary(engine)}: {engine.selection_reason}; "
            f"detector {self._recognition.detector}"
        )
        super().on_configure(state)

    @_transition("active")
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe to the images."""
        super().on_activate(state)
        if self._enabled:
            self._configured.start()
        if self._bond is not None:
            self._bond.start()
        topics = [camera.topic for camera in self._configured.cameras.values()]
        self.get_logger().info(f"active: subscribed to {', '.join(topics)}")

    @_transition("inactive")
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe, and drop all tracks."""
        if self._bond is not None:
            self._bond.stop()
        self._configured.stop()
        super().on_deactivate(state)

    @_transition("unconfigured")
    def on_cleanup(self, state: LifecycleState) -> None:
        """Release the model and the publishers."""
        super().on_cleanup(state)
        self._release()

    @_transition("finalized")
    def on_shutdown(self, state: LifecycleState) -> None:
        """Release everything, from any state."""
        super().on_shutdown(state)
        self._release()

    @_transition("unconfigured")
    def on_error(self, state: LifecycleState) -> None:
        """Release everything; the node can be configured again."""
        super().on_error(state)
        self._release()

    def destroy_node(self) -> None:
        """Release everything, and destroy the node."""
        self._release()
        super().destroy_node()

    def _release(self) -> None:
        if self._bond is not None:
            self._bond.stop()
        if self._recognition is not None:
            self._recognition.close()
            self._recognition = None

    @property
    def _configured(self) -> Recognition:
        """The recognition of a configured node."""
        assert self._recognition is not None
        return self._recognition

    @property
    def cameras(self) -> Mapping[str, CameraInput]:
        """The cameras by name; none while the node is not configured."""
        return {} if self._recognition is None else self._recognition.cameras

    def enter(self, state: str) -> None:
        """Note the state after a transition, for diagnostics and services."""
        self._state = state

    def fail(self, outcome: TransitionCallbackReturn, reason: str) -> TransitionCallbackReturn:
        """Log and report why a transition failed, and release what it has created."""
        self.get_logger().error(f"{self._state} failed: {reason}")
        self._state, self._failure = "unconfigured", reason
        self._release()
        return outcome

    def _engine(self, values: Mapping[str, Any]) -> Engine:
        model = select_model(values["model"], engine=values["engine"])
        engine: Engine = self._make_engine(
            values["engine"],
            model.name,
            threads=values["threads"],
            cameras=len(values["cameras"]),
            log=self.get_logger().warning,
            progress=self._on_build,
        )
        if values["model"] == "auto":
            reason = engine.selection_reason
            engine.selection_reason = f"{model.reason} {reason[:1].upper()}{reason[1:]}"
        return engine

    def _on_build(self, share: float) -> None:
        """Publish the progress of building an engine, once a second.

        The engine's threads call this while the executor's thread waits in on_configure.
        """
        now = time.monotonic()
        if now - self._progress_reported >= 1.0:
            self._progress_reported = now
            self._progress = f"building the engine, {100 * share:.0f} % done"
            self.health.publish()

    def _set_privacy(self, values: Mapping[str, Any]) -> None:
        mode, find = values["annotated_privacy"], None
        if mode == "blur":
            # A detector with a lower threshold: less certain faces are blurred too.
            threshold = min(PRIVACY_THRESHOLD, values["detector_threshold"])
            find = self._detector({**values, "detector_threshold": threshold}).detect
        self._configured.set_privacy(mode, find)

    def _detector(self, values: Mapping[str, Any]) -> Detector:
        name = "auto" if values["detector"] == TOPIC else values["detector"]
        detector: Detector = self._make_detector(
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
        return detector

    def _apply(self, values: Mapping[str, Any], changed: set[str]) -> None:
        """Apply parameters that have changed; raise ValueError to refuse them."""
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
        self._recognition.config = from_values(PipelineConfig, values)
        self._recognition.draw_attention = values["attention_overlay"]
        self._recognition.set_silence_timeout(values["silence_timeout"])
        if "prior_strength" in changed:
            self._recognition.publish_model_info()

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data != self._enabled and self._state == "active":
            if request.data:
                self._configured.start()
            else:
                self._configured.stop()
        self._enabled = request.data
        response.success = True
        response.message = "enabled" if request.data else "disabled"
        if self._state != "active":
            response.message += f"; takes effect when the node is active (it is {self._state})"
        return response

    def _on_analyze(
        self, request: AnalyzeImage.Request, response: AnalyzeImage.Response
    ) -> AnalyzeImage.Response:
        rectified = self._settings["rectified"]
        return self._answer(partial(services.analyze, rectified=rectified), request, response)

    def _on_explain(
        self, request: ExplainFace.Request, response: ExplainFace.Response
    ) -> ExplainFace.Response:
        return self._answer(services.explain, request, response)

    def _answer(self, fill: Callable[..., None], request: Any, response: Any) -> Any:
        """Fill a response, or say in it that the node is not configured."""
        if self._recognition is None:
            remedy = self._failure or "configure it first"
            response.message = f"the node is {self._state}: {remedy}"
        else:
            fill(self._recognition, request, response)
            self._recognition.reset_outage_timers()
        return response

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
        """Return why the node is not subscribed to its cameras; "" if it is."""
        if self._state != "active":
            return f"not subscribed: the node is {self._state}"
        return "" if self._enabled else "not subscribed: disabled by the service ~/enable"


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(EmotionNode, args)
