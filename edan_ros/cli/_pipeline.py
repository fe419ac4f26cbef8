"""Arguments of the commands that find faces without ROS, and the pipeline that they create."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from edan_ros.cli._arguments import existing_file
from edan_ros.core.settings import Setting, SettingsError, fields_of, from_values
from edan_ros.detection.factory import DetectionConfig, create_detector
from edan_ros.drawing.privacy import (
    PRIVACY_MARGIN,
    PRIVACY_MODES,
    PRIVACY_THRESHOLD,
    FaceFinder,
    PrivacyFilter,
)
from edan_ros.engines import ENGINES
from edan_ros.offline import loading
from edan_ros.offline.loading import LoadedPipeline
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.training.common.config import ConfigError

#: All settings that have an argument of their own.
_SETTINGS = (*fields_of(DetectionConfig), *fields_of(PipelineConfig))
_ARGUMENTS = ("model", "engine", *(item.name for item in _SETTINGS))


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments on models, parameters and every setting of detector and pipeline.

    An argument that is not given is None: the parameter file or the default decides.
    """
    parser.add_argument(
        "--model",
        help="name of a model of the package, or an .onnx file (default: auto, the fastest here)",
    )
    parser.add_argument(
        "--engine", choices=ENGINES, help="library that runs the models (default: auto)"
    )
    parser.add_argument(
        "--parameters",
        type=existing_file,
        help="YAML file with parameters of the emotion node, as `ros2 run` takes it",
    )
    group = parser.add_argument_group("settings of detector, tracking and recognition")
    for item in _SETTINGS:
        _add_setting(group, item)


def _add_setting(group: argparse._ArgumentGroup, item: Setting) -> None:
    flag = "--" + item.name.replace("_", "-")
    if isinstance(item.default, bool):
        text = f"{item.help} (default: {'on' if item.default else 'off'})"
        group.add_argument(flag, action=argparse.BooleanOptionalAction, help=_escaped(text))
        return
    limits = "" if item.choices else f"{item.range}; " * bool(item.range)
    shown = f"{item.default:g}" if isinstance(item.default, float) else item.default
    default = "none" if item.default == "" else f"{shown} {item.unit}".rstrip()
    group.add_argument(
        flag,
        type=existing_file if item.name == "detector_model" else _type_of(item),
        choices=item.choices or None,
        metavar=None if item.choices else "FILE" if item.default == "" else "N",
        help=_escaped(f"{item.help} ({limits}default: {default})"),
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _type_of(item: Setting) -> Callable[[str], Any]:
    """Return the argument type of a setting, which checks its range."""
    kind = type(item.default)

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid {kind.__name__} value: {text!r}") from None
        if not item.choices:  # argparse checks those itself
            try:
                item.check(value)
            except SettingsError as error:
                raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return convert


def chosen_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return the emotion node's parameters that the command line itself gives."""
    values = {name: getattr(args, name) for name in _ARGUMENTS}
    return {name: value for name, value in values.items() if value is not None}


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the emotion node's parameters from ``--parameters`` and the command line.

    The command line takes precedence. Raises ConfigError if the file cannot be read.
    """
    values = _read_parameters(Path(args.parameters)) if args.parameters else {}
    return values | chosen_parameters(args)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError if a setting cannot be used. settings: of ``settings_of``."""
    if settings.get("detector") == "topic":
        raise ConfigError("the detector topic works in the node only: give --detector")
    with _setting_errors():
        for kind in (DetectionConfig, PipelineConfig):
            from_values(kind, settings)


def load_pipeline(settings: Mapping[str, Any]) -> LoadedPipeline:
    """Return the pipeline for the settings of ``settings_of``.

    Raises:
        EngineError, DetectorError: if a model cannot be loaded.
        ConfigError: if a setting cannot be used.
    """
    check_settings(settings)
    with _setting_errors():
        return loading.load_pipeline(settings)


@contextmanager
def _setting_errors() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a parameter cannot be used: {error}") from error


def add_privacy_argument(parser: argparse.ArgumentParser, scope: str = "") -> None:
    """Add ``--privacy``. scope: continues the help text."""
    parser.add_argument(
        "--privacy",
        choices=PRIVACY_MODES,
        default="none",
        help=f"what images show of people: everything, blurred heads, or landmarks only{scope} "
        "(default: none)",
    )


def face_finder(
    mode: str, detector: str | None = None, model_path: str | None = None
) -> FaceFinder | None:
    """Return a detector for privacy mode "blur": it blurs faces that the pipeline drops, too.

    Args:
        mode: one of PRIVACY_MODES.
        detector, model_path: as for ``create_detector``; None for the defaults.

    Raises:
        DetectorError: if the detector cannot be created.
    """
    if mode != "blur":
        return None
    found = create_detector(
        detector or "auto", model_path=model_path or "", score_threshold=PRIVACY_THRESHOLD
    )
    return found.detect


def privacy_filter(mode: str, settings: Mapping[str, Any], *, video: bool) -> PrivacyFilter[Any]:
    """Return the filter that anonymizes people in images.

    Args:
        mode: one of PRIVACY_MODES.
        settings: of ``settings_of``.
        video: whether the images follow one another.

    Raises:
        DetectorError: if the detector cannot be created.
    """
    find = face_finder(mode, settings.get("detector"), settings.get("detector_model"))
    return PrivacyFilter(mode, find, margin=PRIVACY_MARGIN if video else 0.0)


def _read_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters that a ROS file gives to a node emotion_node, or to all nodes."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        sections = {name: dict(part["ros__parameters"]) for name, part in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a file of ROS parameters: {error}") from error
    values: dict[str, Any] = {}
    for name, part in sections.items():
        if name.rpartition("/")[2] in ("**", "*", "emotion_node"):
            values |= part
    return values
