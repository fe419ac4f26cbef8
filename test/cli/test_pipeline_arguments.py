"""The settings of commands without ROS: the emotion node's, from the same files."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from edan_ros.cli._pipeline import add_model_arguments, load_pipeline, settings_of
from edan_ros.core.settings import Setting, fields_of, from_values
from edan_ros.detection.factory import DetectionConfig
from edan_ros.engines import select_model
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.training.common.config import ConfigError

ROOT = Path(__file__).parents[2]


def settings(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    return settings_of(parser.parse_args(arguments))


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_without_arguments_the_defaults_are_the_nodes() -> None:
    assert settings() == {}
    loaded = load_pipeline({})
    assert loaded.pipeline.config == PipelineConfig()
    selection = select_model()
    assert loaded.engine.manifest.name == selection.name
    assert loaded.description.startswith(f"model {selection.name} ")
    assert loaded.description.endswith(selection.reason)


def test_the_included_file_holds_the_defaults() -> None:
    found = settings("--parameters", str(ROOT / "config" / "emotion.yaml"))
    assert from_values(PipelineConfig, found) == PipelineConfig()
    assert load_pipeline(found).pipeline.config == PipelineConfig()


def test_sections_of_the_node_are_read_and_arguments_take_precedence(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.yaml",
        "/**: {ros__parameters: {smoothing_time: 0.1, model: other}}\n"
        "/front/emotion_node: {ros__parameters: {birth_hits: 1, rectified: true}}\n"
        "/camera_node: {ros__parameters: {max_faces: 3}}\n",
    )
    found = settings("--parameters", file, "--model", "edan-lite")
    assert found == {
        "smoothing_time": 0.1, "model": "edan-lite", "birth_hits": 1, "rectified": True,
    }  # fmt: skip
    config = load_pipeline(found).pipeline.config
    assert (config.smoothing.time_constant, config.tracking.birth_hits) == (0.1, 1)
    assert config.max_faces == PipelineConfig().max_faces


@pytest.mark.parametrize(
    "text", ["", "a: [", "emotion_node: {max_yaw: 3}", "- 1", "emotion_node: {ros__parameters: 3}"]
)
def test_an_invalid_parameter_file_is_explained(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml is not a file of ROS parameters"):
        settings("--parameters", written(tmp_path / "a.yaml", text))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"max_yaw": 100.0}, "max_yaw is 100.0, must be 0 to 90 deg"),
        ({"max_faces": "many"}, "a parameter cannot be used: max_faces is many, must be 1 to 256"),
        ({"detector": "topic"}, "the detector topic works in the node only"),
    ],
)
def test_unusable_values_are_explained(values: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load_pipeline(values)


@pytest.mark.parametrize(
    "item", [*fields_of(PipelineConfig), *fields_of(DetectionConfig)], ids=lambda item: item.name
)
def test_every_setting_has_an_argument(item: Setting) -> None:
    flag = "--" + item.name.replace("_", "-")
    if isinstance(item.default, bool):
        assert settings(flag) == {item.name: True}
        assert settings(flag.replace("--", "--no-")) == {item.name: False}
        return
    value = item.choices[-1] if item.choices else item.high
    if item.name == "detector_model":
        value = __file__
    assert settings(flag, str(value)) == {item.name: type(item.default)(value)}
    if item.high is not None:
        with pytest.raises(SystemExit):
            settings(flag, str(item.high + 1))


def test_an_argument_out_of_its_range_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (("--max-yaw", "100"), "argument --max-yaw: max_yaw is 100.0, must be 0 to 90 deg"),
        (("--max-faces", "1.5"), "argument --max-faces: invalid int value: '1.5'"),
        (("--prior-strength", "nan"), "prior_strength is nan, must be 0 to 1"),
    ):
        with pytest.raises(SystemExit):
            settings(*arguments)
        assert message in capsys.readouterr().err
