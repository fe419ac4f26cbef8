"""The emotion node's parameters: the file agrees with the table, and changes take effect live."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from edan_ros.msg import FaceEmotion
from fakes import FakeDetector, bright
from probe import Probe, wait_for
from rcl_interfaces.srv import DescribeParameters, ListParameters

from edan_ros.core.settings import from_values
from edan_ros.detection.factory import create_detector
from edan_ros.engines import EngineError
from edan_ros.nodes.common.parameters import Change
from edan_ros.nodes.emotion.parameters import PARAMETERS, check
from edan_ros.pipeline.config import PipelineConfig

FILE = Path(__file__).parents[2] / "config" / "emotion.yaml"
DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}


def test_the_file_lists_every_parameter_with_its_default() -> None:
    (sections,) = [yaml.safe_load(FILE.read_text(encoding="utf-8"))]
    assert list(sections) == ["/**/emotion_node"]
    values = sections["/**/emotion_node"]["ros__parameters"]
    assert values == DEFAULTS
    for name, value in values.items():
        assert type(value) is type(DEFAULTS[name]), name


def leaves(record: Any) -> Iterator[tuple[str, Any]]:
    """Every value in a record of records, with its path."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            yield from ((f"{field.name}.{name}", leaf) for name, leaf in leaves(value))
        else:
            yield field.name, value


def test_every_setting_of_the_pipeline_has_its_parameter() -> None:
    assert from_values(PipelineConfig, DEFAULTS) == PipelineConfig()
    reached = set()
    for parameter in PARAMETERS:
        if isinstance(parameter.default, bool):
            other: object = not parameter.default
        elif parameter.low is not None:
            bounds = (parameter.low, parameter.high)
            other = next(bound for bound in bounds if bound != parameter.default)
        else:
            continue
        changed = from_values(
            PipelineConfig, DEFAULTS | {parameter.name: type(parameter.default)(other)}
        )
        reached |= set(leaves(changed)) - set(leaves(PipelineConfig()))
    assert {name for name, _ in reached} == {name for name, _ in leaves(PipelineConfig())}


def test_the_detector_has_the_defaults_of_core() -> None:
    names = {"detector_threshold": "score_threshold", "detector_max_side": "max_side"}
    names |= {"min_face": "min_face", "detector_model": "model_path", "detector": "name"}
    signature = inspect.signature(create_detector).parameters
    for name, argument in names.items():
        assert DEFAULTS[name] == signature[argument].default


@pytest.mark.parametrize(
    ("cameras", "word"),
    [
        ([], "one or more"),
        (["front", "front"], "different"),
        (["", "camera"], "different"),
        (["2nd"], "2nd"),
        (["front door"], "front door"),
        (["/front"], "/front"),
    ],
)
def test_names_of_cameras_are_checked(cameras: list[str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        check(DEFAULTS | {"cameras": cameras})


def test_names_of_cameras_may_have_several_parts() -> None:
    check(DEFAULTS | {"cameras": ["", "front", "cabin/left"]})


def test_the_node_describes_its_parameters(probe: Probe) -> None:
    service = "emotion_node/list_parameters"
    names = probe.call(ListParameters, service, ListParameters.Request()).result.names
    assert set(DEFAULTS) <= set(names)
    request = DescribeParameters.Request(names=list(DEFAULTS))
    answer = probe.call(DescribeParameters, "emotion_node/describe_parameters", request)
    for parameter, descriptor in zip(PARAMETERS, answer.descriptors, strict=True):
        assert descriptor.description == parameter.help
        assert parameter.range in descriptor.additional_constraints
        assert descriptor.read_only == (parameter.change is Change.NEVER)
        ranges = len(descriptor.floating_point_range) + len(descriptor.integer_range)
        assert ranges == (parameter.low is not None)


def test_thresholds_change_while_the_node_runs(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(min_dwell=0.0)

    def settled() -> FaceEmotion:
        """The face after the time for which a label has to be confirmed."""
        return [probe.answer(probe.image(bright())) for _ in range(6)][-1].faces[0]

    assert settled().label == "happy"
    # The engine is 55 % sure of it.
    assert probe.set(confidence_threshold=0.7) == (True, "")
    face = settled()
    assert (face.label, face.emotion, face.polarity) == ("unknown", 255, 255)
    assert probe.set(confidence_threshold=0.5) == (True, "")
    assert settled().label == "happy"
    assert probe.set(presence_threshold=1.0) == (True, "")
    assert not probe.answer(probe.image(bright())).faces


def test_the_detector_changes_while_the_node_runs(probe: Probe) -> None:
    assert [d.options["min_face"] for d in probe.detectors] == [20.0]
    assert probe.set(min_face=40.0) == (True, "")
    assert probe.set(smoothing_time=0.1) == (True, "")
    assert [d.options["min_face"] for d in probe.detectors] == [20.0, 40.0]
    assert probe.answer(probe.image(bright())).faces


def test_one_parameter_selects_the_engine_of_model_and_detector(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe(engine="onnxruntime")
    options = probe.detectors[0].options
    assert options["engine"] == "onnxruntime"
    assert {"log", "progress", "threads"} <= set(options)


def test_a_change_that_the_detector_cannot_follow_is_refused(
    make_probe: Callable[..., Probe],
) -> None:
    """For example a larger image than the TensorRT plan of the detector accepts."""

    def make(_name: str, *, max_side: int, **_: object) -> FakeDetector:
        if max_side > 1280:
            raise EngineError(f"the plan takes up to 1280 pixels, not {max_side}")
        return FakeDetector()

    probe = make_probe(node={"make_detector": make})
    assert probe.set(detector_max_side=1280) == (True, "")
    refused = probe.set(detector_max_side=1281)
    assert refused == (False, "the plan takes up to 1280 pixels, not 1281")
    assert probe.node.get_parameter("detector_max_side").value == 1280
    assert probe.set(smoothing_time=0.1) == (True, "")
    assert probe.answer(probe.image(bright())).faces


def test_the_time_after_which_a_camera_is_gone_changes_live(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    assert probe.set(silence_timeout=0.2) == (True, "")
    wait_for(lambda: "no images on" in probe.report().message, "the camera to be reported as gone")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"confidence_threshold": 1.5}, "range"),
        ({"detection_interval": 0}, "range"),
        ({"confidence_threshold": "high"}, "type"),
        ({"autostart": False}, "read-only"),
        ({"model": "another"}, "clean up"),
        ({"cameras": ["front"]}, "clean up"),
        ({"engine": "abacus"}, "onnxruntime"),
        ({"no_such": 1}, "undeclared"),
    ],
)
def test_an_invalid_change_is_refused_with_the_reason(
    probe: Probe, change: dict[str, Any], word: str
) -> None:
    successful, reason = probe.set(**change)
    assert not successful
    assert word in reason
    assert probe.answer(probe.image(bright())).faces[0].label == "happy"


def test_a_configure_parameter_may_change_before_configuring(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe(autostart=False)
    assert probe.set(image_transport="compressed") == (True, "")
    assert probe.transition("configure")
    assert not probe.set(image_transport="raw")[0]
    assert probe.transition("activate")
    assert probe.answer(probe.compressed(bright()), "image_raw/compressed").faces
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    assert probe.set(image_transport="raw") == (True, "")
    assert probe.transition("configure")
    assert probe.transition("activate")
    assert probe.answer(probe.image(bright())).faces
