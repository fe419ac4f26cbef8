"""Say what is found on this machine: ROS, engines, detectors, what sources need."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError

from edan_ros.detection.detectors import DetectorError
from edan_ros.engines import EngineError, create_engine
from edan_ros.engines.detector_engine import create_detector, describe
from edan_ros.sources.webcam import webcams_present

#: Check, whether it is well, what was found or what to do.
Finding = tuple[str, bool, str]

_LIBRARIES = {
    "av": "videos, and the video that `edan demo` writes (pip install av)",
    "rosbags": "bags (pip install rosbags)",
    "skimage": "the built-in scene (pip install scikit-image)",
    "matplotlib": "the built-in scene (pip install matplotlib)",
    "torch": "training and export (pip install torch)",
    "tensorrt": "the TensorRT engine (comes with JetPack)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="edan-lite", help="the model to try")


def run(args: argparse.Namespace) -> int:
    findings = [*_ros(), _engine(args.model), _detector(), *_libraries(), _webcams()]
    for name, good, text in findings:
        print(f"{'ok' if good else '--':4}{name:14}{text}")
    needed = {"ROS 2", "engine", "detector"}
    return 0 if all(good for name, good, _ in findings if name in needed) else 1


def _ros() -> Iterator[Finding]:
    yield "Python", True, platform.python_version()
    try:
        from edan_ros.nodes.tools.inventory import ros_found
    except ImportError as error:
        yield "ROS 2", False, f"{error}: source a ROS 2 installation, or install its wheels"
    else:
        yield from ((name, True, text) for name, text in ros_found().items())


def _engine(model: str) -> Finding:
    try:
        engine = create_engine("auto", model)
    except EngineError as error:
        return "engine", False, str(error)
    text = f"{engine.name} on {engine.device}, {engine.precision}: {engine.manifest.name} loads"
    return "engine", True, f"{text} ({engine.selection_reason})"


def _detector() -> Finding:
    try:
        detector = create_detector("auto", engine="auto")
    except (DetectorError, EngineError) as error:
        return "detector", False, str(error)
    return "detector", True, f"auto chooses {describe(detector)}"


def _libraries() -> Iterator[Finding]:
    for name, purpose in _LIBRARIES.items():
        if importlib.util.find_spec(name) is None:
            yield name, False, f"not installed; needed for {purpose}"
        else:
            yield name, True, _version(name)


def _version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module, [module])
    try:
        return importlib.metadata.version(names[0])
    except PackageNotFoundError:
        return "installed"


def _webcams() -> Finding:
    found = webcams_present()
    return "webcams", bool(found), ", ".join(found) or "none on this machine"
