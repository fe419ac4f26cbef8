"""Write a training configuration for your own photos and say what to expect."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="photos: train/ and test/, each with one folder of images per emotion",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="file to write (default: FOLDER.yaml, here)"
    )


def run(args: argparse.Namespace) -> int:
    from edan_ros.training.common.config import ConfigError
    from edan_ros.training.emotion.new_training import new_training

    to = args.to or Path(f"{args.folder.resolve().name}.yaml")
    new = new_training(args.folder, to)
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(new.text)
    except FileExistsError as error:
        raise ConfigError(f"{to} exists: name another file with --to") from error
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror}") from error
    print(f"{to} is written; it explains its entries.")
    print("\n".join(new.summary))
    return 0
