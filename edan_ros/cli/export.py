"""Export a trained network to ONNX with its manifest, or convert a model's precision."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.engines.manifest import Manifest

#: Choices of `--precision`, which training/emotion/precision.py defines.
PRECISIONS = ("fp16", "int8", "int8-gpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="training configuration of a run; with --precision, a model")
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="*",
        metavar="run",
        help="folder of the run (--out of edan train); the weights of several runs, each started "
        "from the one before, are averaged",
    )
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--to", type=Path, required=True, help="folder for NAME.onnx and NAME.json")
    parser.add_argument("--half", action="store_true", help="store large weights as FP16")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="convert a model: fp16 as TensorRT runs it, int8 for processors, int8-gpu for "
        "TensorRT (the last two are calibrated and evaluated on --data)",
    )
    # Which arguments are required depends on others, which argparse cannot express.
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    manifest = _in_precision(args) if args.precision else _of_run(args)
    print(f"{manifest.path}  sha256 {manifest.sha256}")
    for name, value in manifest.metrics.items():
        print(f"  {name:32s} {value:.4f}")
    return 0


def _in_precision(args: argparse.Namespace) -> Manifest:
    if args.precision != "fp16" and args.data is None:
        args.usage_error(f"--precision {args.precision} is calibrated and evaluated on --data")
    from edan_ros.training.emotion.precision import compare, write_half, write_int8

    if args.precision == "fp16":
        return write_half(args.source, args.to)
    made = write_int8(args.source, args.to, args.data, gpu=args.precision == "int8-gpu")
    figures = compare(made, args.source)
    print(f"against {args.source}, on this processor and the same images:")
    for name, value in figures.items():
        print(f"  {name:32s} {value:+.2f}" if "change" in name else f"  {name:32s} {value:.2f}")
    return made


def _of_run(args: argparse.Namespace) -> Manifest:
    if not args.checkpoints or args.data is None:
        args.usage_error("a run is exported from its folder of checkpoints and --data")
    from edan_ros.training.common.config import read_config

    config = Path(args.source)
    task = read_config(config).get("task")
    if task in ("detector", "eyes") and len(args.checkpoints) > 1:
        args.usage_error(f"a model for {task} is exported from one run")
    if task == "eyes":
        from edan_ros.training.eyes import export as eyes

        return eyes.export_release(config, args.checkpoints[0], args.data, args.to, half=args.half)
    if task == "detector":
        from edan_ros.training.detector import export

        return export.export_release(config, args.checkpoints[0], args.data, args.to)
    from edan_ros.training.emotion import release

    return release.export_release(config, args.checkpoints, args.data, args.to, half=args.half)
