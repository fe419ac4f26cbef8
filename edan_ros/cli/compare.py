"""Train several configurations under equal conditions and print a table with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.cli._arguments import integer_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "configs",
        nargs="+",
        type=Path,
        help="training configurations (YAML); the others are compared with the first",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the runs; finished ones are kept"
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[1],
        help="random seeds; all configurations are trained with each (default: 1)",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or cuda:N; auto uses a GPU if there is one"
    )
    parser.add_argument(
        "--workers",
        type=integer_from(0),
        default=1,
        help="processes that prepare batches (default: %(default)s)",
    )
    parser.add_argument(
        "--print-only", action="store_true", help="only print the table of the finished runs"
    )


def run(args: argparse.Namespace) -> int:
    from edan_ros.training.common.config import ConfigError
    from edan_ros.training.common.distributed import world
    from edan_ros.training.emotion.comparison import RESULT, Comparison, read_runs, table
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
            rows.append(read_runs(config.name, finished))
    if not rows:
        raise ConfigError(f"{args.out} holds no finished run of these configurations")
    print(table(rows))
    return 0
