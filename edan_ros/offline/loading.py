"""The pipeline that settings describe, with its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from edan_ros.core.inference import EyeEngine
from edan_ros.core.message_fields import model_fields
from edan_ros.core.settings import from_values
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import DetectionConfig, create_detector
from edan_ros.engines import Engine, create_engine, select_model
from edan_ros.engines.eye_model import EyeModel
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.recording.run_info import describe_model


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline with its models. description: one line for the user on what was selected."""

    pipeline: Pipeline
    detector: Detector
    engine: Engine
    description: str
    eye_engine: EyeEngine | None = None

    def describe_model(self) -> dict[str, str]:
        """Return names and values of the model, for the file of a run."""
        fields = model_fields(self.engine, self.pipeline.config.prior_strength)
        return describe_model(SimpleNamespace(**fields))

    def new_pipeline(self) -> Pipeline:
        """Return another pipeline with the same models, whose tracks are numbered from 1."""
        return Pipeline(
            self.detector, self.engine, self.pipeline.config, eye_engine=self.eye_engine
        )


def load_engine(settings: Mapping[str, Any]) -> tuple[Engine, str]:
    """Return the engine with its model, and one line on the selection. Raises EngineError."""
    kind = settings.get("engine", "auto")
    selection = select_model(settings.get("model", "auto"), engine=kind)
    engine = create_engine(kind, selection.name, threads=settings.get("threads", 0))
    manifest = engine.manifest
    line = f"model {manifest.name} {manifest.version} on {engine.name} ({engine.device})"
    return engine, f"{line}: {selection.reason}"


def load_pipeline(settings: Mapping[str, Any], *, detector_threads: int = 0) -> LoadedPipeline:
    """Return the pipeline for parameters of the emotion node.

    Args:
        settings: values by the names of the parameters; others are ignored.
        detector_threads: CPU threads of one run of the detector; 0 for its default.

    Raises:
        EngineError, DetectorError: if a model cannot be loaded.
        TypeError, ValueError: if a setting cannot be used.
    """
    config = from_values(PipelineConfig, settings)
    search = asdict(from_values(DetectionConfig, settings))
    kind = settings.get("engine", "auto")
    detector = create_detector(**search, engine=kind, threads=detector_threads)
    engine, description = load_engine(settings)
    eye_engine = EyeModel() if config.eyes else None
    pipeline = Pipeline(detector, engine, config, eye_engine=eye_engine)
    return LoadedPipeline(pipeline, detector, engine, description, eye_engine)
