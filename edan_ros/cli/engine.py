"""Build TensorRT plans ahead of time, list them, or delete them."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from edan_ros.core.wording import plural
from edan_ros.detection.detector_model import TASK
from edan_ros.engines import GPU_ENGINES, EngineError
from edan_ros.engines.cuda_driver import Gpu, find_gpu
from edan_ros.engines.manifest import load_manifest, require_complete, shipped_models
from edan_ros.engines.plan_cache import PlanCache, PlanKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|list|clear")
    build = actions.add_parser("build", help="build plans now, so that no node has to")
    build.add_argument(
        "models",
        nargs="*",
        help="models of the package, or .onnx files (default: all of the package, with the face "
        "detector, except the INT8 models for processors)",
    )
    build.add_argument(
        "--engine",
        choices=GPU_ENGINES,
        default="tensorrt",
        help="engine that runs them (default: %(default)s)",
    )
    build.add_argument(
        "--target",
        action="append",
        metavar="CAPABILITY",
        type=_capability,
        help="compute capability of a GPU in another machine, 8.6 or 86, for example; only with "
        "tensorrt_rtx; may be given several times",
    )
    # Only one engine accepts --target, which argparse cannot express.
    build.set_defaults(usage_error=build.error)
    build.add_argument("--again", action="store_true", help="build even if the plan exists")
    listing = actions.add_parser("list", help="list the plans")
    clear = actions.add_parser("clear", help="delete plans")
    clear.add_argument("model", nargs="?", help="only plans of this model")
    for action in (build, listing, clear):
        action.add_argument(
            "--cache", type=Path, help="folder of the plans (default: ~/.cache/edan_ros/engines)"
        )


def run(args: argparse.Namespace) -> int:
    cache = PlanCache(args.cache)
    if args.action == "build":
        _build(args, cache)
    elif args.action == "list":
        _list(cache)
    else:
        deleted = cache.clear(args.model)
        print(f"deleted {plural(len(deleted), 'plan')} from {cache.folder}")
    return 0


def _capability(text: str) -> str:
    digits = text.replace(".", "").removeprefix("sm").removeprefix("SM")
    if not digits.isdigit() or len(digits) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a compute capability such as 8.6")
    return f"{digits[:-1]}.{digits[-1]}"


def _build(args: argparse.Namespace, cache: PlanCache) -> None:
    if args.target and args.engine != "tensorrt_rtx":
        args.usage_error(
            f"{args.engine} builds only for the GPU of this machine: leave out --target, or give "
            "--engine tensorrt_rtx"
        )
    gpus = [Gpu("", capability, "") for capability in args.target or ()] or [_local_gpu(args)]
    for model in args.models or gpu_models():
        for gpu in gpus:
            _build_one(model, args.engine, gpu, cache, again=args.again)


def gpu_models() -> list[str]:
    """Return the names of the shipped models that TensorRT can build."""
    names = shipped_models() + shipped_models("detector")
    return [name for name in names if load_manifest(name, task=None).precision != "int8"]


def _local_gpu(args: argparse.Namespace) -> Gpu:
    try:
        return find_gpu()
    except EngineError as error:
        raise EngineError(
            f"{error}: to build for a GPU elsewhere, give --engine tensorrt_rtx and --target"
            if args.engine == "tensorrt"
            else f"{error}: to build for a GPU elsewhere, give its --target"
        ) from error


def _build_one(model: str, engine: str, gpu: Gpu, cache: PlanCache, *, again: bool) -> None:
    from edan_ros.engines.tensorrt import make_plan
    from edan_ros.engines.tensorrt_build import plan_key, profile_of

    manifest = load_manifest(model, task=None)
    if manifest.task != TASK:
        require_complete(manifest)
    profile = profile_of(manifest)
    key = plan_key(manifest, engine, gpu, profile)
    console = Console()
    with cache.locked(key):
        found = cache.load(key)
        if isinstance(found, bytes) and not again:
            console.print(f"{key.file} exists and fits", highlight=False, soft_wrap=True)
            return
        reason = "--again was given" if isinstance(found, bytes) else found
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        hidden = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task(f"building {key.file}", total=1.0)

            def log(line: str) -> None:
                console.print(line, highlight=False, soft_wrap=True)

            def show(share: float) -> None:
                bar.update(task, completed=share)

            make_plan(manifest, key, profile, cache, log, show, reason=reason)


def _list(cache: PlanCache) -> None:
    plans = cache.plans()
    console = Console()
    if not plans:
        console.print(f"no plan in {cache.folder}", highlight=False, soft_wrap=True)
        return
    table = Table("plan", "MB", "engine", "for", "driver", "model's sha256", box=None)
    for plan, key in plans:
        size = f"{plan.stat().st_size / 1e6:.1f}"
        engine = f"{key.library} {key.version}"
        table.add_row(plan.name, size, engine, _target(key), key.driver or "any", key.onnx[:12])
    console.print(f"plans in {cache.folder}", highlight=False, soft_wrap=True)
    console.print(table)


def _target(key: PlanKey) -> str:
    return f"{key.gpu or 'every GPU'} of {key.capability}"
