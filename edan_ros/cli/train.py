"""``edan train CONFIG``: train a network, or go on with a run; ``edan export`` makes its file."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.cli._arguments import positive, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="training configuration (YAML)")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for checkpoints and the log; an interrupted run goes on from there",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="what a new run starts from: a model of the same network, by name or .onnx file; or "
        "the folder of a finished run, of the same network or of a narrower one",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or cuda:N; auto takes a GPU where there is one"
    )
    parser.add_argument("--workers", type=whole, default=1, help="processes that prepare batches")
    parser.add_argument(
        "--checkpoint-minutes",
        type=positive,
        default=5.0,
        help="time between checkpoints inside an epoch",
    )


def run(args: argparse.Namespace) -> int:
    # torch is an extra: it is imported when this command runs, not when `edan` starts.
    from edan_ros.training.common.config import with_base

    train = _detector if with_base(args.config).get("task") == "detector" else _emotions
    train(args)
    return 0


def _emotions(args: argparse.Namespace) -> None:
    from edan_ros.training.common.config import crop_size, load_config
    from edan_ros.training.common.data import epoch_length
    from edan_ros.training.common.distributed import takes_bfloat16, world
    from edan_ros.training.common.trainer import Trainer, check_run
    from edan_ros.training.emotion.sets import load_samples
    from edan_ros.training.emotion.validation import Validation

    config = load_config(args.config)
    with world(args.device) as here:
        check_run(config, args.out, args.start, here)  # reading pictures may take minutes
        samples = load_samples(config.data, args.data, print if here.leads else None)
        validation = None
        if here.leads:
            draws = epoch_length(samples, draws=config.epoch_draws, views=config.views)
            print(f"{len(samples)} pictures, {draws} draws an epoch, on {here.device}", flush=True)
            half = takes_bfloat16(config.precision, here.device)
            validation = Validation(args.data, crop_size(config), config.validate, half=half)
        Trainer(
            config,
            samples,
            args.out,
            validation,
            world=here,
            workers=args.workers,
            start=args.start,
            minutes=args.checkpoint_minutes,
        ).run()


def _detector(args: argparse.Namespace) -> None:
    from edan_ros.training.common.distributed import choose_device
    from edan_ros.training.detector.sources import load_pictures
    from edan_ros.training.detector.trainer import DetectorTrainer, load_detector_config

    config = load_detector_config(args.config)
    pictures = load_pictures(config.data, args.data)
    print(", ".join(f"{name}: {len(found)} pictures" for name, found in pictures.items()))
    device = choose_device(args.device)
    trainer = DetectorTrainer(
        config, pictures, args.out, device=device, workers=args.workers, start=args.start
    )
    trainer.run()
