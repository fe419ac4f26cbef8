"""Measure this machine, the models, the pipeline and the nodes against what the hardware can do."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edan_ros.benchmark.machine import measure_machine
from edan_ros.benchmark.models import BATCHES, measure_models
from edan_ros.benchmark.report import save_roofline, tables
from edan_ros.benchmark.results import Results
from edan_ros.benchmark.stages import FACES, measure_pipeline
from edan_ros.cli._arguments import positive
from edan_ros.cli._pipeline import DEFAULT_MODEL
from edan_ros.engines import EngineError
from edan_ros.engines.manifest import load_manifest, shipped_models
from edan_ros.engines.onnxruntime import default_threads

if TYPE_CHECKING:
    from rich.console import Console

SECTIONS = ("model", "pipeline", "ros")
_LIBRARIES = ("edan_ros", "numpy", "onnxruntime", "opencv-python-headless", "torch", "rclpy")


@dataclass(frozen=True)
class _Effort:
    """Seconds of one figure in each section, and what is left out."""

    machine: float
    model: float
    pipeline: float
    ros: float
    batches: Sequence[int] = BATCHES
    resolutions: Sequence[str] = ("vga", "720p", "1080p")
    faces: Sequence[int] = FACES
    loads: int | None = None


_FULL = _Effort(machine=1.0, model=0.5, pipeline=1.0, ros=6.0)
_QUICK = _Effort(*(0.5, 0.3, 0.5, 3.0), batches=(1, 4), resolutions=("vga",), faces=(1, 8), loads=3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--roofline", type=Path, metavar="FILE", help="draw the models under the machine's roof"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: half a minute")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=SECTIONS,
        metavar="SECTION",
        help=f"leave out the others: {', '.join(SECTIONS)}",
    )
    parser.add_argument(
        "--soak", type=positive, metavar="MINUTES", help="run a camera so long: does memory grow?"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="MODEL",
        help="names or .onnx files; by default all that ship, edan-lite first. Nodes and "
        "pipeline run the first",
    )
    parser.add_argument(
        "--threads",
        type=int,
        choices=range(1, 65),
        metavar="N",
        help="of the model; by default as many as the node takes with one camera",
    )


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    console = Console(highlight=False)
    # What nodes run by default comes first: it is measured in nodes and pipeline, too.
    models = args.model or sorted(shipped_models(), key=lambda name: name != DEFAULT_MODEL)
    if not models:
        raise EngineError("no model ships with this package: name one with --model")
    for model in models:
        load_manifest(model)  # a name that is wrong is told at once
    results = _measure(args, models, console)
    console.print(tables(results))
    written = [_written(results.save, args.json)] if args.json else []
    if args.roofline:
        written.append(_written(partial(save_roofline, results), args.roofline))
    return 0 if all(written) else 1


def _measure(args: argparse.Namespace, models: list[str], console: Console) -> Results:
    effort = _QUICK if args.quick else _FULL
    threads = args.threads or default_threads(1)
    say = partial(console.print, markup=False, style="dim", soft_wrap=True)
    with console.status("the machine") as status:
        machine = measure_machine(threads, effort.machine)
        results = Results(machine, versions=_versions())
        if "model" in args.only:
            status.update("models")
            results.model = measure_models(
                models, machine, effort.model, say, batches=effort.batches
            )
        if "pipeline" in args.only:
            status.update("pipeline")
            results.pipeline = measure_pipeline(
                models[0], threads, effort.pipeline, effort.resolutions, effort.faces
            )
        if "ros" in args.only or args.soak:
            status.update("nodes")
            _measure_ros(args, models[0], effort, results, say)
    return results


def _measure_ros(
    args: argparse.Namespace, model: str, effort: _Effort, results: Results, say: Any
) -> None:
    from edan_ros.nodes.tools.benchmark_run import LOADS, RosBenchmark
    from edan_ros.nodes.tools.session import SessionError

    try:
        with RosBenchmark(model, args.threads or 0, say) as ros:
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


def _written(write: Any, path: Path) -> bool:
    try:
        write(path)
    except (OSError, ImportError, ValueError) as error:
        print(f"edan benchmark: {path} is not written: {error}", file=sys.stderr)
        return False
    print(path)
    return True
