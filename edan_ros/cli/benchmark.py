"""Benchmark this machine, the models, the pipeline and the nodes."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros import NEEDS_ROS
from edan_ros.benchmark.machine import measure_machine
from edan_ros.benchmark.models import BATCHES, measure_models
from edan_ros.benchmark.report import save_roofline, tables
from edan_ros.benchmark.results import Results
from edan_ros.benchmark.stages import FACES, measure_pipeline
from edan_ros.cli._arguments import positive
from edan_ros.engines import EngineError, select_model
from edan_ros.engines.base import default_threads
from edan_ros.engines.manifest import load_manifest, shipped_models

if TYPE_CHECKING:
    from rich.console import Console

SECTIONS = ("model", "pipeline", "ros")
_LIBRARIES = ("edan_ros", "numpy", "onnxruntime", "opencv-python-headless", "torch", "rclpy")


@dataclass(frozen=True)
class Effort:
    """Seconds per measurement in each section, and the size of each section."""

    machine: float
    model: float
    pipeline: float
    ros: float
    batches: Sequence[int] = BATCHES
    resolutions: Sequence[str] = ("vga", "720p", "1080p")
    faces: Sequence[int] = FACES
    loads: int | None = None
    images: int = 200


FULL = Effort(machine=1.0, model=0.5, pipeline=1.0, ros=6.0)
QUICK = Effort(
    *(0.5, 0.3, 0.5, 3.0), batches=(1, 4), resolutions=("vga",), faces=(1, 8), loads=3, images=20
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results to this file")
    parser.add_argument(
        "--roofline", type=_svg, metavar="FILE", help="write a roofline plot of the models (.svg)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        metavar="SECTION",
        help=f"sections to run: {', '.join(SECTIONS)} (default: all; without ROS 2, not ros)",
    )
    parser.add_argument(
        "--soak",
        type=positive,
        metavar="MINUTES",
        help="also run a camera for this long and report the growth of memory",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="FOLDER",
        help="also compare with OpenCV's YuNet and expression model and the package fer, where "
        "they are installed, on a folder of images for each emotion (neutral, happy, ...)",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="MODEL",
        help="names or .onnx files; nodes and pipeline run the first (default: all that ship)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        choices=range(1, 65),
        metavar="N",
        help="threads of the model (default: as many as the node takes with one camera)",
    )


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    console = Console(highlight=False)
    # The default of the nodes comes first, because nodes and pipeline run the first one.
    default = select_model().name
    models = args.model or sorted(shipped_models(), key=lambda name: name != default)
    if not models:
        raise EngineError("no model ships with this package: name one with --model")
    for model in models:
        load_manifest(model)  # an unknown name ends the command before the measurements
    args.only = _sections(args)
    results = _measure(args, models, console)
    console.print(tables(results))
    written = [_write(results.save, args.json)] if args.json else []
    if args.roofline:
        written.append(_write(partial(save_roofline, results), args.roofline))
    return 0 if all(written) else 1


def _svg(text: str) -> Path:
    if not text.lower().endswith(".svg"):
        raise argparse.ArgumentTypeError(f"the plot is written as SVG: name it .svg, not {text}")
    return Path(text)


def _sections(args: argparse.Namespace) -> Sequence[str]:
    """Return the sections to run; without ROS 2, log that those by default leave out the nodes.

    Raises ModuleNotFoundError without ROS 2 if the nodes were requested.
    """
    if args.soak or "ros" in (args.only or SECTIONS):
        try:
            importlib.import_module("edan_ros.nodes.tools.benchmark_run")
        except ModuleNotFoundError:
            if args.soak or args.only:
                raise
            print(f"skipping the section ros, which {NEEDS_ROS}", file=sys.stderr)
            return [section for section in SECTIONS if section != "ros"]
    return args.only or SECTIONS


def _measure(args: argparse.Namespace, models: list[str], console: Console) -> Results:
    effort = QUICK if args.quick else FULL
    threads = args.threads or default_threads(1)
    log = partial(console.print, markup=False, style="dim", soft_wrap=True)
    with console.status("the machine") as status:
        machine = measure_machine(threads, effort.machine)
        results = Results(machine, versions=_versions())
        if "model" in args.only:
            status.update("models")
            results.model = measure_models(
                models, machine, effort.model, log, batches=effort.batches
            )
        if "pipeline" in args.only:
            status.update("pipeline")
            results.pipeline = measure_pipeline(
                models[0], threads, effort.pipeline, effort.resolutions, effort.faces
            )
        if args.peers:
            from edan_ros.benchmark.peers import measure_peers

            status.update("alternatives")
            results.peers = measure_peers(args.peers, models[0], threads, effort.images, log)
        if "ros" in args.only or args.soak:
            status.update("nodes")
            _measure_ros(args, models[0], effort, results, log)
    return results


def _measure_ros(
    args: argparse.Namespace,
    model: str,
    effort: Effort,
    results: Results,
    log: Callable[[str], None],
) -> None:
    from edan_ros.nodes.tools.benchmark_run import LOADS, RosBenchmark
    from edan_ros.nodes.tools.session import SessionError

    try:
        with RosBenchmark(model, args.threads or 0, log) as ros:
            if "ros" in args.only:
                results.ros = [ros.run(load, effort.ros) for load in LOADS[: effort.loads]]
            if args.soak:
                results.soak = ros.soak(args.soak)
    except SessionError as error:
        raise EngineError(str(error)) from error
    results.startup_s, results.memory_mb = ros.startup_s, ros.memory_mb


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except PackageNotFoundError:
            continue
    return found


def _write(write: Callable[[Path], object], path: Path) -> bool:
    try:
        write(path)
    except (OSError, ImportError, ValueError) as error:
        print(f"edan benchmark: {path} cannot be written: {error}", file=sys.stderr)
        return False
    print(path)
    return True
