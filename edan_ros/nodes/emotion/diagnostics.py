"""Diagnostics of the emotion node: the model, and for each camera why it is silent if it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from edan_ros.core.message_fields import model_fields
from edan_ros.core.wording import plural
from edan_ros.engines.base import Engine
from edan_ros.nodes.common.camera_statistics import ENGINE_FAILED, INTERNAL_ERROR, CameraFigures
from edan_ros.nodes.emotion.camera_input import IMAGE_TYPES, CameraInput
from edan_ros.nodes.emotion.recognition import Recognition
from edan_ros.sources.video_packets import KEY_FRAME

MakeStatus = Callable[..., DiagnosticStatus]

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

#: Fraction of dropped images above which the machine counts as too slow for a camera.
SLOW_FRACTION = 0.2
#: Reason that is not a fault of the images -> why they give no results.
_LOST_BY = {
    ENGINE_FAILED: "the engine fails on them: see the log",
    INTERNAL_ERROR: "an internal error skips them: see the log",
}
_UNUSABLE = "none is valid: see the bad_input counts"
#: Fields of ModelInfo.msg that the status of the model shows beside its name.
_MODEL_FIELDS = ("version", "sha256", "engine", "selection_reason", "device", "precision")


@dataclass(frozen=True)
class Situation:
    """The state of a camera besides its statistics.

    Args:
        idle: why the node does not listen at all; "" if it does.
        topic: of the images.
        publishers: number of publishers on the topic, of the message type that the node takes.
        reliability: the value of image_reliability.
        transport: the value of image_transport.
        other_types: message types of other publishers on the same topic.
        other_transport, other_topic: another value of image_transport and its topic, if images are
            published there instead; else "".
    """

    idle: str
    topic: str
    publishers: int
    reliability: str
    transport: str = "raw"
    other_types: tuple[str, ...] = ()
    other_transport: str = ""
    other_topic: str = ""


def assess_camera(figures: CameraFigures, situation: Situation) -> tuple[bytes, str]:
    """Return the level and one sentence: the first cause that prevents results, if any."""
    if situation.idle:
        return OK, situation.idle
    if figures.silent:
        return _assess_silence(figures, situation)
    if figures.lost_by == KEY_FRAME and not figures.rate_out:
        return WARN, (
            "packets of a video arrive, and the node waits for a key frame: let the encoder send "
            "one every second or two (gop_size)"
        )
    if figures.lost_by and not figures.rate_out:
        return ERROR, f"images arrive, but {_LOST_BY.get(figures.lost_by, _UNUSABLE)}"
    if figures.rate_dropped > SLOW_FRACTION * figures.rate_in:
        return WARN, (
            f"slow: {figures.rate_out:.1f} of {figures.rate_in:.1f} images per second are "
            "processed; raise detection_interval, lower the resolution or use a faster engine"
        )
    if figures.returned_after is not None:
        return OK, f"images are back after an outage of {figures.returned_after:.1f} s"
    if figures.faces:
        return OK, plural(figures.faces, "face")
    if figures.since_face is None:
        return OK, "no face yet"
    return OK, f"no face for {figures.since_face:.1f} s"


def _assess_silence(figures: CameraFigures, situation: Situation) -> tuple[bytes, str]:
    """Return the level and the cause of a silence: QoS, type, topic or an outage."""
    topic, publishers = situation.topic, situation.publishers
    if publishers and figures.incompatible_qos:
        return ERROR, (
            f"QoS mismatch on {topic}: the publisher does not offer the {figures.incompatible_qos} "
            "that this node requests; set image_reliability to best_effort (now "
            f"{situation.reliability}), or change qos_overrides.{topic}.subscription."
            f"{figures.incompatible_qos} where it is set"
        )
    if figures.since_image is not None:
        # DDS lists the publisher of a killed process for 10 to 20 s more, so that one which is
        # listed proves nothing.
        cause = "" if publishers else ": its publisher is gone"
        return ERROR, f"no images on {topic} for {figures.since_image:.1f} s{cause}"
    if situation.other_types and not publishers:
        return ERROR, _wrong_type(situation)
    if situation.other_topic:
        return WARN, (
            f"no images yet on {topic}: they are published on {situation.other_topic}; set "
            f"image_transport to {situation.other_transport}"
        )
    if publishers:
        return WARN, (
            f"no images yet on {topic}, which has a publisher: it may not have started, or large "
            "images are lost in transport (see Troubleshoot in the documentation)"
        )
    return (
        WARN,
        f"no images yet: {topic} has no publisher; check the camera and the topic's name",
    )


def _wrong_type(situation: Situation) -> str:
    """Name the type on the topic, and what to set."""
    topic, transport = situation.topic, situation.transport
    remedy = "remap image_raw to the topic of a camera"
    for other, kind in IMAGE_TYPES.items():
        if kind in situation.other_types:
            name = "image_raw" if other == "raw" else f"image_raw/{other}"
            remedy = f"set image_transport to {other} and remap {name} to {topic}"
    return (
        f"{topic} has the type {', '.join(situation.other_types)}, and image_transport={transport} "
        f"takes {IMAGE_TYPES[transport]}: {remedy}"
    )


def camera_values(figures: CameraFigures, situation: Situation) -> dict[str, str]:
    """Return the key-value pairs of a camera's status."""
    values = {
        "topic": situation.topic,
        "publishers": str(situation.publishers),
        "images_received": str(figures.received),
        "images_processed": str(figures.processed),
        "images_dropped": str(figures.dropped),
        "images_lost": str(figures.lost),
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


def camera_status(status: MakeStatus, camera: CameraInput, idle: str) -> DiagnosticStatus:
    """Return the status of one camera.

    Args:
        status: makes it, with the node's name (Health.status).
        camera: the camera.
        idle: why the node does not listen to it; "" if it does.
    """
    types = camera.publisher_types()
    transport, topic = ("", "") if types else camera.other_topic()
    situation = Situation(
        idle=idle,
        topic=camera.topic,
        publishers=types.count(camera.type),
        reliability=camera.options.reliability,
        transport=camera.options.transport,
        other_types=tuple(sorted({name for name in types if name != camera.type})),
        other_transport=transport,
        other_topic=topic,
    )
    figures = camera.statistics.figures()
    level, message = assess_camera(figures, situation)
    values = camera_values(figures, situation) | {"camera_info": camera.calibration}
    return status(camera.key, level, message, values, camera.frame_id)


def model_status(
    status: MakeStatus, state: str, remark: str, recognition: Recognition | None
) -> DiagnosticStatus:
    """Return the status of the model: what runs, or why nothing does.

    Args:
        status: makes it, with the node's name (Health.status).
        state: of the node's life cycle.
        remark: how far configuring is, or why it failed; "" if neither.
        recognition: of the node; None while it is not configured.
    """
    values = {"state": state}
    if recognition is None:
        level = ERROR if remark and state != "configuring" else WARN
        message = f"{state}: {remark}" if remark else state
        return status("model", level, message, values)
    engine = recognition.engine
    fields = model_fields(engine, recognition.config.prior_strength)
    values |= {"model": fields["name"], **{name: fields[name] for name in _MODEL_FIELDS}}
    values["detector"] = recognition.detector
    return status("model", OK, f"{state}: {engine_summary(engine)}", values, engine.device)


def engine_summary(engine: Engine) -> str:
    """Return a short description of the model and its engine for users."""
    manifest = engine.manifest
    return f"{manifest.name} {manifest.version} on {engine.name} ({engine.device})"
