"""Process any number of recordings on all cores or a cluster, into tables and a report."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import integer_from
from edan_ros.cli._pipeline import add_model_arguments, check_settings, settings_of
from edan_ros.core.wording import plural

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from edan_ros.fleet.batch import Plan
    from edan_ros.fleet.processing import Job, Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recordings",
        type=Path,
        metavar="MANIFEST|FOLDER",
        help="folder with bags, videos and folders of images, or a text or CSV file that lists "
        "them",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("fleet"),
        help="folder to write to; it is continued if it exists (default: %(default)s)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=integer_from(1),
        help="number of processes on this machine (default: one for each core)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask cluster, such as tcp://10.0.0.1:8786, to use instead",
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="try recordings again that failed in an earlier run",
    )
    parser.add_argument(
        "--landmarks", action="store_true", help="write the 68 landmarks into the tables, too"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.engines import load_manifest, select_model
    from edan_ros.fleet.batch import plan_jobs, read_records, write_summary
    from edan_ros.fleet.recordings import find_recordings
    from edan_ros.fleet.report import write_report
    from edan_ros.recording.files import locked_folder

    for module in ("jinja2", "pyarrow.parquet", *(["distributed"] if args.scheduler else [])):
        import_module(module)  # a missing module is reported before the work
    console = Console(highlight=False)
    log = partial(console.print, markup=False, soft_wrap=True)
    settings = settings_of(args)
    check_settings(settings)
    recordings, notes = find_recordings(args.recordings, leave_out=args.out)
    for note in notes:
        log(f"note: {note}")
    selection = select_model(settings.get("model", "auto"), engine=settings.get("engine", "auto"))
    settings["model"] = selection.name  # one model for all workers, whatever their machines are
    model = load_manifest(selection.name)
    with locked_folder(args.out):
        plan = plan_jobs(
            recordings,
            args.out,
            settings,
            model,
            landmarks=args.landmarks,
            retry_failed=args.retry_failed,
        )
        log(f"{args.recordings} -> {args.out}/: {_describe(plan)}")
        failed = len(plan.failed)
        try:
            failed += _process(args, plan, console)
        finally:  # also of a run that is stopped: the next one goes on
            records = read_records(args.out)
            if records:
                files = write_summary(args.out, records), write_report(args.out, records)
                log("  ".join(map(str, files)))
    if failed:
        log(f"{plural(failed, 'recording')} failed: see {files[1]}, and give --retry-failed")
    return int(failed > 0)


def _process(args: argparse.Namespace, plan: Plan, console: Console) -> int:
    """Process what is left and return the number of recordings that failed."""
    from edan_ros.engines.base import usable_cores
    from edan_ros.fleet.processing import fail, process
    from edan_ros.fleet.workers import WorkerDied, run_locally, run_on_dask
    from edan_ros.recording.progress import ImageProgress

    failed = 0
    with ImageProgress(console, len(plan.jobs), unit="recordings") as progress:
        outcomes: Generator[tuple[Job, Record | WorkerDied], None, None]
        if args.scheduler and plan.jobs:
            outcomes = run_on_dask(process, plan.jobs, args.scheduler, progress.log)
        else:
            outcomes = run_locally(process, plan.jobs, args.workers or usable_cores())
        with closing(outcomes):
            for job, result in outcomes:
                record = fail(job, str(result)) if isinstance(result, WorkerDied) else result
                if record.error:
                    failed += 1
                    is_named = record.recording in record.error
                    progress.warn(f"{'' if is_named else f'{record.recording}: '}{record.error}")
                progress.advance()
    return failed


def _describe(plan: Plan) -> str:
    text = f"{plural(len(plan.jobs), 'recording')} to process"
    text += f", {len(plan.finished)} finished before" if plan.finished else ""
    return text + (f", {len(plan.failed)} failed before" if plan.failed else "")
