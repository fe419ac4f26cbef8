"""Check this machine: ROS 2, the engine and the detector that auto selects, optional libraries."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import edan_ros
from edan_ros.detection.base import DetectorError
from edan_ros.detection.factory import create_detector, describe_detector
from edan_ros.engines import EngineError, create_engine, select_model
from edan_ros.sources.webcam import webcams_present

#: Import name of a library -> what it is needed for and how to install it.
_LIBRARIES = {
    "av": "videos (pip install av)",
    "rosbags": "bags (pip install rosbags)",
    "jinja2": "reports (pip install 'edan_ros[report]')",
    "skimage": "the built-in scene of the demo (pip install scikit-image)",
    "matplotlib": "the built-in scene of the demo (pip install matplotlib)",
    "pandas": "tables in Python (pip install pandas)",
    "torch": "training and export (pip install 'edan_ros[train]')",
    "tensorrt": "the TensorRT engine (comes with JetPack)",
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: what was checked, at most 13 characters.
        good: whether it works.
        text: what was found, or what to do.
        required: whether edan_ros as it is installed fails without it.
    """

    name: str
    good: bool
    text: str
    required: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="auto", help="the model to load; by default the fastest")


def run(args: argparse.Namespace) -> int:
    """Print one line per check; fail where a required one fails."""
    findings = [*_ros(), _engine(args.model), _detector(), *_libraries(), _webcams()]
    for finding in findings:
        print(f"{'ok' if finding.good else '--':4}{finding.name:14}{finding.text}")
    return 0 if all(finding.good for finding in findings if finding.required) else 1


def _ros() -> Iterator[Finding]:
    yield Finding("Python", True, platform.python_version())
    try:
        from edan_ros.nodes.common.environment import describe_ros
    except ImportError as error:
        reason = f"No module named {error.name!r}" if error.name else str(error)
        text = (
            "not found; needed for nodes only: install it (docs.ros.org), then install edan_ros "
            f"again in that environment ({reason})"
        )
        yield Finding("ROS 2", False, text, required=_has_interfaces())
    else:
        for name, text in describe_ros().items():
            yield Finding(name, True, text)


def _has_interfaces() -> bool:
    """Return whether edan_ros was built with its ROS 2 messages."""
    return any((Path(folder) / "msg" / "__init__.py").is_file() for folder in edan_ros.__path__)


def _engine(model: str) -> Finding:
    try:
        selection = select_model(model)
        engine = create_engine("auto", selection.name)
    except EngineError as error:
        return Finding("engine", False, str(error), required=True)
    text = (
        f"{engine.name} on {engine.device}, {engine.precision}: {engine.manifest.name} loads "
        f"({engine.selection_reason}). {selection.reason}"
    )
    return Finding("engine", True, text, required=True)


def _detector() -> Finding:
    try:
        detector = create_detector("auto", engine="auto")
    except (DetectorError, EngineError) as error:
        return Finding("detector", False, str(error), required=True)
    return Finding("detector", True, f"auto selects {describe_detector(detector)}", required=True)


def _libraries() -> Iterator[Finding]:
    for name, purpose in _LIBRARIES.items():
        if importlib.util.find_spec(name) is None:
            yield Finding(name, False, f"not installed; needed for {purpose}")
        else:
            yield Finding(name, True, _version(name))


def _version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module, [module])
    try:
        return importlib.metadata.version(names[0])
    except PackageNotFoundError:
        return "installed"


def _webcams() -> Finding:
    found = webcams_present()
    return Finding("webcams", bool(found), ", ".join(found) or "none on this machine")
