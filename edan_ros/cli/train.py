"""``edan train``: train a network, or resume a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import positive, whole

if TYPE_CHECKING:
    from edan_ros.training.common.distributed import World
    from edan_ros.training.detector.task import DetectorTask
    from edan_ros.training.emotion.task import EmotionTask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="training configuration (YAML)")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for checkpoints and the log; an interrupted run resumes from it",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="what a new run starts from: a model of the same network, by name or .onnx file; or "
        "the folder of a finished run, of the same network or of a narrower one",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or cuda:N; auto uses a GPU if there is one"
    )
    parser.add_argument("--workers", type=whole, default=1, help="processes that prepare batches")
    parser.add_argument(
        "--checkpoint-minutes",
        type=positive,
        default=5.0,
        help="time between checkpoints inside an epoch",
    )


def run(args: argparse.Namespace) -> int:
    print("Reading the configuration and the data sets", flush=True)
    # torch is an extra: it is imported when this command runs, not when `edan` starts.
    from edan_ros.training.common.config import with_base
    from edan_ros.training.common.distributed import world
    from edan_ros.training.common.trainer import Trainer

    create = _detector if with_base(args.config).get("task") == "detector" else _recogniser
    with world(args.device) as here:
        task = create(args, here)
        Trainer(
            task,
            args.out,
            world=here,
            workers=args.workers,
            checkpoint_minutes=args.checkpoint_minutes,
        ).run()
    return 0


def _recogniser(args: argparse.Namespace, here: World) -> EmotionTask:
    from edan_ros.training.common.config import crop_size, load_config
    from edan_ros.training.common.data import epoch_length
    from edan_ros.training.common.distributed import use_bfloat16
    from edan_ros.training.emotion.sets import class_prior, load_samples
    from edan_ros.training.emotion.task import EmotionTask, check_run
    from edan_ros.training.emotion.validation import Validation

    config = load_config(args.config)
    check_run(config, args.out, args.start, here)  # reading images may take minutes
    samples = load_samples(config.data, args.data, _print if here.is_main_process else None)
    validation = None
    if here.is_main_process:
        length = epoch_length(samples, draws=config.epoch_draws, views=config.views)
        _print(f"{len(samples)} images, {length} samples per epoch, on {here.device}")
        half = use_bfloat16(config.precision, here.device)
        prior = class_prior(config, args.data)
        validation = Validation(
            args.data, crop_size(config), config.validate, half=half, class_prior=prior
        )
    return EmotionTask(config, samples, start=args.start, validate=validation)


def _detector(args: argparse.Namespace, here: World) -> DetectorTask:
    from edan_ros.training.detector.sources import load_pictures
    from edan_ros.training.detector.task import DetectorTask, check_run, load_detector_config

    config = load_detector_config(args.config)
    check_run(config, args.out, args.start, here)
    pictures = load_pictures(config.data, args.data)
    if here.is_main_process:
        _print(", ".join(f"{name}: {len(found)} images" for name, found in pictures.items()))
    return DetectorTask(config, pictures, start=args.start)


def _print(line: str) -> None:
    print(line, flush=True)
