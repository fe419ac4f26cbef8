"""Train a network, or resume a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edan_ros.cli._arguments import integer_from, positive
from edan_ros.core.wording import plural

if TYPE_CHECKING:
    from edan_ros.training.common.distributed import World
    from edan_ros.training.common.task import Task
    from edan_ros.training.detector.task import DetectorTask
    from edan_ros.training.emotion.task import EmotionTask
    from edan_ros.training.eyes.task import EyesTask


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
    parser.add_argument(
        "--workers", type=integer_from(0), default=1, help="processes that prepare batches"
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=positive,
        default=5.0,
        help="time between checkpoints inside an epoch",
    )


def run(args: argparse.Namespace) -> int:
    print("Reading the configuration and the data sets", flush=True)
    # torch is an extra: it is imported when this command runs, not when `edan` starts.
    from edan_ros.training.common.config import read_config
    from edan_ros.training.common.distributed import world
    from edan_ros.training.common.trainer import Trainer

    tasks: dict[str, Callable[..., Task[Any]]] = {"detector": _detector, "eyes": _eyes}
    create = tasks.get(read_config(args.config).get("task", ""), _recogniser)
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
    from edan_ros.training.common.distributed import use_bfloat16
    from edan_ros.training.emotion.config import crop_size, load_config
    from edan_ros.training.emotion.samples import epoch_length
    from edan_ros.training.emotion.sets import class_prior, load_training_set
    from edan_ros.training.emotion.task import EmotionTask, check_run
    from edan_ros.training.emotion.validation import Validation

    config = load_config(args.config)
    check_run(config, args.out, args.start, here)  # reading images may take minutes
    log = _print if here.is_main_process else None
    training_set = load_training_set(config.data, args.data, log)
    validation = None
    if here.is_main_process:
        length = epoch_length(training_set, samples=config.epoch_samples, views=config.views)
        images, samples = plural(len(training_set), "image"), plural(length, "sample")
        _print(f"{images}, {samples} per epoch, on {here.device}")
        _print("validation: reading")
        half = use_bfloat16(config.precision, here.device)
        prior = class_prior(config, args.data)
        validation = Validation(
            args.data, crop_size(config), config.validate, half=half, class_prior=prior
        )
    return EmotionTask(config, training_set, start=args.start, validate=validation)


def _detector(args: argparse.Namespace, here: World) -> DetectorTask:
    from edan_ros.training.detector.sources import load_source_images
    from edan_ros.training.detector.task import DetectorTask, check_run, load_detector_config

    config = load_detector_config(args.config)
    check_run(config, args.out, args.start, here)
    images = load_source_images(config.data, args.data)
    if here.is_main_process:
        _print(
            ", ".join(f"{name}: {plural(len(found), 'image')}" for name, found in images.items())
        )
    return DetectorTask(config, images, start=args.start)


def _eyes(args: argparse.Namespace, here: World) -> EyesTask:
    from edan_ros.training.eyes.task import EyesTask, load_eyes_config, load_samples

    config = load_eyes_config(args.config)
    samples = load_samples(config, args.data)
    if here.is_main_process:
        _print(", ".join(f"{k}: {plural(len(v.crops), 'eye')}" for k, v in samples.items()))
    return EyesTask(config, samples)


def _print(line: str) -> None:
    print(line, flush=True)
