"""What /diagnostics says: the node's model and, for each camera, why it is silent if it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from edan_ros.core.messages import model_fields
from edan_ros.engines.base import Engine
from edan_ros.nodes.common.camera_statistics import ENGINE_FAILED, INTERNAL_ERROR, Snapshot
from edan_ros.nodes.emotion.camera_input import CameraInput
from edan_ros.nodes.emotion.recognition import Recognition

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

#: Share of the images dropped above which a camera counts as too fast for this machine.
SLOW_SHARE = 0.2
#: Why images that arrive give no results: the node's own faults, and all faults of the images.
_LOST_BY = {
    ENGINE_FAILED: "the engine fails on them: see the log",
    INTERNAL_ERROR: "an internal error leaves them out: see the log",
}
_UNUSABLE = "none can be used: see the bad_input counts"
#: What is told of the model beside its name, of the fields of ModelInfo.msg.
_TOLD = ("version", "sha256", "engine", "why", "device", "precision")


@dataclass(frozen=True)
class Situation:
    """What there is to know about a camera besides its figures.

    idle: why the node does not listen at all ("" if it does). topic: of the images. publishers:
    how many there are on it. reliability: what the node asks for.
    """

    idle: str
    topic: str
    publishers: int
    reliability: str


def judge_camera(figures: Snapshot, situation: Situation) -> tuple[bytes, str]:
    """Level and one sentence: what keeps the faces from coming, the first cause first."""
    if situation.idle:
        return OK, situation.idle
    if figures.silent:
        return _judge_silence(figures, situation)
    if figures.lost_by and not figures.rate_out:
        return ERROR, f"images arrive, but {_LOST_BY.get(figures.lost_by, _UNUSABLE)}"
    if figures.rate_dropped > SLOW_SHARE * figures.rate_in:
        return WARN, (
            f"slow: {figures.rate_out:.1f} of {figures.rate_in:.1f} images a second are processed; "
            "raise detection_interval, lower the resolution or choose a faster engine"
        )
    if figures.returned_after is not None:
        return OK, f"camera is back: images again after {figures.returned_after:.1f} s without"
    if figures.faces:
        return OK, f"{figures.faces} face{'s' if figures.faces > 1 else ''}"
    if figures.since_face is None:
        return OK, "no face seen yet"
    return OK, f"no face for {figures.since_face:.1f} s"


def _judge_silence(figures: Snapshot, situation: Situation) -> tuple[bytes, str]:
    """No images: is nobody there, does the quality of service not fit, or did they stop?"""
    topic, publishers = situation.topic, situation.publishers
    if publishers and figures.incompatible_qos:
        return ERROR, (
            f"QoS mismatch on {topic}: the publisher does not offer the {figures.incompatible_qos} "
            f"that image_reliability={situation.reliability} asks for; set image_reliability to "
            "best_effort"
        )
    if figures.since_image is not None:
        cause = "its publisher is still there" if publishers else "its publisher is gone"
        return ERROR, (
            f"camera is gone: no image on {topic} for {figures.since_image:.1f} s, {cause}"
        )
    if publishers:
        return WARN, (
            f"no images yet on {topic}, though it has a publisher: it may not have started, or "
            "large images are lost on the way (README: Fast DDS profile)"
        )
    return (
        WARN,
        f"no images yet: nobody publishes on {topic}; check the camera and the topic's name",
    )


def camera_values(figures: Snapshot, situation: Situation) -> dict[str, str]:
    """The figures of one camera, as they are shown."""
    values = {
        "topic": situation.topic,
        "publishers": str(situation.publishers),
        "images_received": str(figures.received),
        "images_processed": str(figures.processed),
        "images_dropped": str(figures.dropped),
        "rate_in_hz": f"{figures.rate_in:.1f}",
        "rate_out_hz": f"{figures.rate_out:.1f}",
        "faces": str(figures.faces),
        "outages": str(figures.outages),
        "bad_input": str(sum(figures.bad.values())),
    }
    values |= {f"bad_input.{reason}": str(n) for reason, n in sorted(figures.bad.items())}
    values |= {f"latency_p{p}_ms": f"{ms:.1f}" for p, ms in figures.latency_ms.items()}
    if figures.age_ms is not None:
        values["stamp_age_p50_ms"] = f"{figures.age_ms:.1f}"
    values |= {f"stage.{name}_ms": f"{ms:.2f}" for name, ms in figures.stages_ms.items()}
    return values


def camera_status(node: str, camera: CameraInput, idle: str) -> DiagnosticStatus:
    """The entry of one camera. node: its name. idle: why it does not listen, "" if it does."""
    situation = Situation(idle, camera.topic, camera.publishers(), camera.options.reliability)
    figures = camera.statistics.snapshot()
    level, message = judge_camera(figures, situation)
    values = camera_values(figures, situation) | {"camera_info": camera.calibration}
    return _status(f"{node}: {camera.key}", level, message, values, camera.frame_id)


def model_status(
    node: str, state: str, remark: str, recognition: Recognition | None
) -> DiagnosticStatus:
    """The entry of the model: what runs, or why nothing does.

    remark: how far configuring is, or why it failed; "" if neither.
    """
    values = {"state": state}
    if recognition is None:
        level = ERROR if remark and state != "configuring" else WARN
        message = f"{state}: {remark}" if remark else state
        return _status(f"{node}: model", level, message, values)
    engine = recognition.engine
    fields = model_fields(engine)
    values |= {"model": fields["name"], **{name: fields[name] for name in _TOLD}}
    values["detector"] = recognition.detector
    return _status(f"{node}: model", OK, f"{state}: {describe(engine)}", values, engine.device)


def describe(engine: Engine) -> str:
    """What runs, and on what, for people."""
    manifest = engine.manifest
    return f"{manifest.name} {manifest.version} on {engine.name} ({engine.device})"


def _status(
    name: str, level: bytes, message: str, values: Mapping[str, str], hardware: str = ""
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(
        name=name, level=level, message=message, hardware_id=hardware, values=pairs
    )
