"""Add faces and emotions to a recorded bag: every image is processed, no ROS is needed."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from edan_ros.cli._pipeline import add_model_arguments, make_pipeline, settings_of
from edan_ros.core.messages import model_fields
from edan_ros.recording.errors import RecordingError
from edan_ros.sources import SourceError
from edan_ros.sources.bag import open_bag

if TYPE_CHECKING:
    from edan_ros.cli._bag_run import Camera
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.sources.bag_reader import BagReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="a folder or file of rosbag2: SQLite or MCAP")
    parser.add_argument(
        "--out", type=Path, help="the bag to write, by default beside the other, with _faces"
    )
    parser.add_argument(
        "--topics", nargs="+", default=[], metavar="TOPIC", help="of images; by default all"
    )
    parser.add_argument(
        "--replace-faces",
        action="store_true",
        help="leave out the results that the bag holds already, where new ones take their place",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the bag that an earlier run wrote"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    # Imported when this command runs, not when `edan` starts: rosbags.
    from rich.console import Console

    from edan_ros.cli._bag_run import BagRun, add_topics, choose_cameras, make_plan
    from edan_ros.recording.bag_writer import BagWriter
    from edan_ros.recording.definitions import Definitions
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.run_info import RunInfo, describe_model, write_run_info

    console = Console(highlight=False)
    say = partial(console.print, markup=False, soft_wrap=True)
    out = args.out or args.bag.resolve().parent / f"{_stem(args.bag)}_faces"
    with ExitStack() as stack:
        reader = stack.enter_context(_opened(args.bag, out))
        cameras = choose_cameras(reader, args.topics)
        plan = make_plan(reader, cameras, args.replace_faces)
        settings = settings_of(args)
        pipeline, engine = make_pipeline(settings)
        definitions = Definitions()
        writer = stack.enter_context(
            BagWriter(out, reader.storage, reader.compression, replace=args.overwrite)
        )
        say(f"{args.bag} -> {out}")
        for line in add_topics(writer, reader, plan, definitions):
            say(line)
        expected = sum(reader.topics[topic].count for topic in cameras)
        with ImageProgress(console, expected) as progress:
            run = BagRun(pipeline, writer, definitions, cameras, progress)
            run.rectified = bool(settings.get("rectified", False))
            run.all(reader, plan, engine)
        if not progress.images:
            raise SourceError(f"{args.bag}: not one image can be decoded; nothing is written")
        damage = reader.damage
        told = {"made by": "edan bag", "source": str(args.bag)}
        told |= {"not read": "; ".join(damage)} if damage else {}
        told |= {name: str(value) for name, value in settings.items()}
        model = describe_model(SimpleNamespace(**model_fields(engine)))
        write_run_info(writer.folder, RunInfo(model, told))
    for camera in cameras.values():
        say(camera.line())
    for line in damage:
        say(line)
    say(_speed(cameras.values(), progress))
    return 0


def _opened(path: Path, out: Path) -> BagReader:
    if out.resolve() in (path.resolve(), path.resolve().parent):
        raise RecordingError(f"{out} is where the recording lies: name another place with --out")
    if path.suffix == ".bag":
        raise SourceError(f"{path} is a bag of ROS 1: convert it first, with rosbags-convert")
    return open_bag(path)


def _stem(path: Path) -> str:
    name = path.resolve().name
    for ending in (".zstd", ".mcap", ".db3"):
        name = name.removesuffix(ending)
    return name


def _speed(cameras: Collection[Camera], progress: ImageProgress) -> str:
    recorded = max(camera.summary.recorded_seconds for camera in cameras)
    return (
        f"{recorded:.1f} s of recording in {progress.seconds:.1f} s: "
        f"{recorded / progress.seconds:.2f} times real time, {progress.rate:.1f} images/s"
    )
