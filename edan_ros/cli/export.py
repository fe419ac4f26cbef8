"""Export a trained network to ONNX with its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="the training configuration of the run")
    parser.add_argument("checkpoints", type=Path, help="the run's folder (--out of edan train)")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--to", type=Path, required=True, help="folder for <name>.onnx and .json")
    parser.add_argument("--half", action="store_true", help="store large weights as FP16")


def run(args: argparse.Namespace) -> int:
    # torch is an extra: it is imported when this command runs, not when `edan` starts.
    from edan_ros.training.config import read_yaml

    if read_yaml(args.config).get("task") == "detector":
        from edan_ros.training.detector_export import finish_detector

        manifest = finish_detector(args.config, args.checkpoints, args.data, args.to)
    else:
        from edan_ros.training.finish import finish

        manifest = finish(args.config, args.checkpoints, args.data, args.to, half=args.half)
    print(f"{manifest.path}  sha256 {manifest.sha256}")
    for name, value in manifest.metrics.items():
        print(f"  {name:32s} {value:.4f}")
    return 0
