"""Train several configurations on equal terms and print what came out, with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.cli._arguments import integer_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "configs",
        nargs="+",
        type=Path,
        help="training configurations (YAML), in the order of their importance; the others are "
        "compared with the first",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the runs; those finished are kept"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[1], help="all configurations with each in turn"
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or cuda:N; auto takes a GPU where there is one"
    )
    parser.add_argument(
        "--workers", type=integer_from(0), default=1, help="processes that prepare batches"
    )
    parser.add_argument(
        "--print-only", action="store_true", help="train nothing: the table of what is finished"
    )


def run(args: argparse.Namespace) -> int:
    # torch is an extra: it is imported when this command runs, not when `edan` starts.
    from edan_ros.training.common.config import ConfigError
    from edan_ros.training.common.distributed import world
    from edan_ros.training.emotion.comparison import RESULT, Comparison, read_row, table
    from edan_ros.training.emotion.config import load_config

    configs = [load_config(path) for path in args.configs]
    if len({config.name for config in configs}) < len(configs):
        raise ConfigError("two configurations have the same name: their runs would mix")
    if not args.print_only:
        with world(args.device) as here:
            comparison = Comparison(args.data, args.out, world=here, workers=args.workers)
            for seed in args.seeds:
                for config in configs:
                    print(f"{config.name}, seed {seed}", flush=True)
                    comparison.run(config, seed)
    rows = []
    for config in configs:
        folders = [args.out / f"{config.name}-seed{seed}" for seed in args.seeds]
        finished = [folder for folder in folders if (folder / RESULT).is_file()]
        if finished:
            rows.append(read_row(config.name, finished))
    if not rows:
        raise ConfigError(f"{args.out} holds no finished run of these configurations")
    print(table(rows))
    return 0
