"""The arguments of commands that find faces without ROS, and the pipeline that they make."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from edan_ros.cli._arguments import existing_file
from edan_ros.drawing.privacy import COVERED_FROM, MARGIN, PRIVACY_MODES, Find, Veil
from edan_ros.engines import ENGINES, Engine, create_engine
from edan_ros.detection.factory import DETECTORS, create_detector
from edan_ros.pipeline.config import pipeline_config
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.training.common.config import ConfigError

#: What the emotion node runs by default.
DEFAULT_MODEL = "edan-lite"
#: Parameters of the emotion node, and what create_detector calls them.
_DETECTION = {
    "detector_model": "model_path",
    "detector_threshold": "score_threshold",
    "min_face": "min_face",
    "detector_max_side": "max_side",
}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What finds faces and what reads them, with the emotion node's defaults."""
    parser.add_argument(
        "--model", help=f"a model of the package, or an .onnx file; {DEFAULT_MODEL} by default"
    )
    parser.add_argument("--engine", choices=ENGINES, help="what runs model and detector")
    parser.add_argument("--detector", choices=DETECTORS, help="what finds faces")
    parser.add_argument("--detector-model", type=existing_file, help="the detector's file")
    parser.add_argument(
        "--parameters",
        type=existing_file,
        help="YAML file with parameters of the emotion node, as `ros2 run` takes it",
    )


def chosen_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """The emotion node's parameters that the command line itself names."""
    names = ("model", "engine", "detector", "detector_model")
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """The emotion node's parameters that are given: those of the file, then of the command line.

    Raises ConfigError where the file cannot be read.
    """
    values = _read_parameters(Path(args.parameters)) if args.parameters else {}
    return values | chosen_parameters(args)


def _read_parameters(path: Path) -> dict[str, Any]:
    """What a ROS parameter file says of a node that is called emotion_node, or of every node."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        sections = {name: dict(part["ros__parameters"]) for name, part in told.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a file of ROS parameters: {error}") from error
    values: dict[str, Any] = {}
    for name, part in sections.items():
        if name.rpartition("/")[2] in ("**", "*", "emotion_node"):
            values |= part
    return values


def make_find(mode: str, detector: str | None = None, model_path: str | None = None) -> Find | None:
    """For "blur", of PRIVACY_MODES, what finds those, too, whom the model does not read.

    Raises DetectorError.
    """
    if mode != "blur":
        return None
    options = {"model_path": model_path or "", "score_threshold": COVERED_FROM}
    return create_detector(detector or "auto", **options).detect


def make_veil(mode: str, detector: str | None, model_path: str | None, *, film: bool) -> Veil[Any]:
    """What covers people in pictures. mode: of PRIVACY_MODES. film: they are a sequence.

    Raises DetectorError.
    """
    find = make_find(mode, detector, model_path)
    return Veil(mode, find, margin=MARGIN if film else 0.0)


def add_privacy_argument(parser: argparse.ArgumentParser, more: str = "") -> None:
    """What is seen of people in the pictures that a command writes. more: of its help."""
    parser.add_argument(
        "--privacy",
        choices=PRIVACY_MODES,
        default="none",
        help=f"what is seen of people: all, heads blurred, or landmarks alone{more}",
    )


def make_pipeline(settings: Mapping[str, Any]) -> tuple[Pipeline, Engine]:
    """The pipeline and its engine. settings: of ``settings_of``.

    Raises EngineError, DetectorError, ConfigError.
    """
    name = settings.get("detector", "auto")
    if name not in DETECTORS:
        raise ConfigError(f"the detector {name} works in the node only: give --detector")
    try:
        config = pipeline_config(settings)
        options = {
            theirs: settings[ours] for ours, theirs in _DETECTION.items() if ours in settings
        }
        kind = settings.get("engine", "auto")
        detector = create_detector(name, engine=kind, **options)
        engine = create_engine(
            kind,
            settings.get("model", DEFAULT_MODEL),
            threads=settings.get("threads", 0),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a parameter cannot be used: {error}") from error
    return Pipeline(detector, engine, config), engine
