"""Add faces and emotions to a recorded bag, or hide the people in it; no ROS is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._pipeline import (
    add_model_arguments,
    check_settings,
    load_pipeline,
    settings_of,
)
from edan_ros.drawing.privacy import BAG_PRIVACY_MODES
from edan_ros.recording.files import RecordingError
from edan_ros.sources import SourceError
from edan_ros.sources.bag import open_bag
from edan_ros.training.common.config import ConfigError

if TYPE_CHECKING:
    from edan_ros.offline.bag import Camera
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.sources.bag_reader import BagReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="folder or file of a ROS 2 bag: SQLite or MCAP")
    parser.add_argument(
        "--out",
        type=Path,
        help="bag to write (default: beside the other, its name with _faces or _anonymized "
        "appended)",
    )
    parser.add_argument(
        "--topics",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="image topics (default: all); with --privacy, which always takes all, topics encoded "
        "as depth images that show people, such as those of thermal cameras",
    )
    parser.add_argument(
        "--privacy",
        choices=BAG_PRIVACY_MODES,
        help="write a copy without results in which every head is blurred, or replaced by a drawn "
        "one with the same expression; everything else is copied byte for byte",
    )
    parser.add_argument(
        "--drop-topics",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="topics to leave out, with --privacy",
    )
    parser.add_argument(
        "--replace-faces",
        action="store_true",
        help="replace results that the bag already holds on the same topics",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the bag that an earlier run wrote"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.privacy:
        return _anonymize(args)
    if args.drop_topics:
        raise ConfigError("--drop-topics works with --privacy only")
    from rich.console import Console

    from edan_ros.offline.bag import BagRun, add_topics, choose_cameras, plan_topics
    from edan_ros.recording.bag_writer import BagWriter
    from edan_ros.recording.certificate import read_certificate, write_certificate
    from edan_ros.recording.definitions import Definitions
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.run_info import RunInfo, write_run_info

    console = Console(highlight=False)
    log = partial(console.print, markup=False, soft_wrap=True)
    out = args.out or default_output(args.bag)
    with ExitStack() as stack:
        reader = stack.enter_context(_open(args.bag, out))
        cameras = choose_cameras(reader, args.topics)
        plan = plan_topics(reader, cameras, args.replace_faces)
        settings = settings_of(args)
        loaded = load_pipeline(settings)
        definitions = Definitions()
        writer = stack.enter_context(
            BagWriter(out, reader.storage, reader.compression, replace=args.overwrite)
        )
        log(f"{args.bag} -> {out}")
        log(loaded.description)
        for line in add_topics(writer, reader, plan, definitions):
            log(line)
        expected = sum(reader.topics[topic].count for topic in cameras)
        with ImageProgress(console, expected) as progress:
            BagRun(
                loaded.pipeline,
                writer,
                definitions,
                cameras,
                progress.advance,
                rectified=bool(settings.get("rectified", False)),
            ).run(reader, plan, loaded.engine)
        if not progress.images:
            raise SourceError(f"{args.bag}: not one image can be decoded; nothing is written")
        damage = reader.damage
        values = {"made by": "edan bag", "source": str(args.bag)}
        values |= {"not read": "; ".join(damage)} if damage else {}
        values |= {name: str(value) for name, value in settings.items()}
        certificate = read_certificate(args.bag)
        if certificate is not None:  # the images are those of an anonymised bag
            write_certificate(writer.folder, certificate)
        write_run_info(writer.folder, RunInfo(loaded.describe_model(), values))
    for camera in cameras.values():
        log(camera.line())
    for line in damage:
        log(line)
    log(_speed(cameras.values(), progress))
    return 0


def _anonymize(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.offline.anonymize import Anonymizer
    from edan_ros.offline.search import face_search
    from edan_ros.recording.certificate import CERTIFICATE_FILE, describe_certificate

    console = Console(highlight=False)
    log = partial(console.print, markup=False, soft_wrap=True)
    out = args.out or default_output(args.bag, "_anonymized")
    settings = settings_of(args)
    with _open(args.bag, out):  # raises before models are loaded
        pass
    check_settings(settings)
    search = face_search(settings)
    log(f"{args.bag} -> {out}")
    log(f"faces are searched with {', '.join(search.names)}")
    if "yunet" not in search.names:
        log("note: a second detector finds more: give a YuNet file with --detector-model")
    certificate = Anonymizer(
        args.bag,
        out,
        args.privacy,
        search.find,
        search.check,
        dict.fromkeys(search.names, search.threshold),
        named=args.topics,
        drop=args.drop_topics,
        replace=args.overwrite,
        console=console,
    ).run()
    log(describe_certificate(certificate))
    written = out.with_name(certificate["output"])
    log(f"{written / CERTIFICATE_FILE}")
    if not certificate["found_after"]:
        return 0
    print(
        f"edan bag: faces remain, listed in the certificate: do not share {written}",
        file=sys.stderr,
    )
    return 1


def default_output(bag: Path, suffix: str = "_faces") -> Path:
    """Return where the new bag of a bag goes: beside it, with a suffix appended to its name."""
    path = bag.resolve()
    name = path.name
    for ending in (".zstd", ".mcap", ".db3"):
        name = name.removesuffix(ending)
    return path.parent / f"{name}{suffix}"


def _open(path: Path, out: Path) -> BagReader:
    if out.resolve() in (path.resolve(), path.resolve().parent):
        raise RecordingError(f"{out} is where the recording lies: name another place with --out")
    if path.suffix == ".bag":
        raise SourceError(f"{path} is a bag of ROS 1: convert it first, with rosbags-convert")
    return open_bag(path)


def _speed(cameras: Collection[Camera], progress: ImageProgress) -> str:
    recorded = max(camera.summary.recorded_seconds for camera in cameras)
    speed = f"{progress.rate:.1f} images/s"
    if recorded <= 0.0:  # a single image, or stamps that only go back
        return speed
    return (
        f"{recorded:.1f} s of recording in {progress.seconds:.1f} s: "
        f"{recorded / progress.seconds:.2f} times real time, {speed}"
    )
