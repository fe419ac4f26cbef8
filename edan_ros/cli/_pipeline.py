"""The arguments of commands that find faces without ROS, and the pipeline that they make."""

from __future__ import annotations

import argparse
from typing import Any

from edan_ros.cli._arguments import existing_file
from edan_ros.core.pipeline import Pipeline, PipelineConfig
from edan_ros.core.privacy import COVERED_FROM, PRIVACY_MODES, Find, Veil
from edan_ros.engines import ENGINES, Engine, create_engine
from edan_ros.engines.detector_engine import DETECTORS, create_detector

#: What the emotion node runs by default.
DEFAULT_MODEL = "edan-lite"


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What finds faces and what reads them, with the emotion node's defaults."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a model of the package, or an .onnx file"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the model")
    parser.add_argument("--detector", choices=DETECTORS, default="auto", help="what finds faces")
    parser.add_argument("--detector-model", type=existing_file, help="the detector's file")


def make_veil(mode: str, detector: str, model_path: str | None, *, ahead: bool) -> Veil[Any]:
    """What covers people in a sequence of pictures. mode: of PRIVACY_MODES. ahead: as of Veil.

    For "blur" with a detector of its own, which finds those, too, whom the model does not read.
    Raises DetectorError.
    """
    find: Find | None = None
    if mode == "blur":
        options = {"model_path": model_path or "", "score_threshold": COVERED_FROM}
        find = create_detector(detector, **options).detect
    return Veil(mode, find, ahead=ahead)


def add_privacy_argument(parser: argparse.ArgumentParser) -> None:
    """What is seen of people in the pictures that a command writes."""
    parser.add_argument(
        "--privacy",
        choices=PRIVACY_MODES,
        default="none",
        help="what is seen of people: all, heads blurred, or landmarks alone",
    )


def make_pipeline(
    args: argparse.Namespace, config: PipelineConfig | None = None
) -> tuple[Pipeline, Engine]:
    """The pipeline of the arguments, and its engine. Raises EngineError, DetectorError."""
    engine = create_engine(args.engine, args.model)
    detector = create_detector(args.detector, model_path=args.detector_model or "")
    return Pipeline(detector, engine, config), engine
