"""The arguments of commands that find faces without ROS, and the pipeline that they make."""

from __future__ import annotations

import argparse

from edan_ros.cli._arguments import existing_file
from edan_ros.core.pipeline import Pipeline, PipelineConfig
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
    parser.add_argument(
        "--detector-model", type=existing_file, help="the detector's file"
    )


def make_pipeline(
    args: argparse.Namespace, config: PipelineConfig | None = None
) -> tuple[Pipeline, Engine]:
    """The pipeline of the arguments, and its engine. Raises EngineError, DetectorError."""
    engine = create_engine(args.engine, args.model)
    detector = create_detector(args.detector, model_path=args.detector_model or "")
    return Pipeline(detector, engine, config), engine
