"""List the models there are, and fetch those of others by name."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.engines import public_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|fetch")
    listing = actions.add_parser("list", help="what ships, and what can be fetched")
    fetching = actions.add_parser("fetch", help="fetch a model of others, checked by SHA-256")
    fetching.add_argument("name", choices=sorted(public_models.public_models()))
    for action in (listing, fetching):
        action.add_argument(
            "--to",
            type=Path,
            default=public_models.models_folder(),
            metavar="DIR",
            help="folder of fetched models, without: %(default)s ($EDAN_ROS_MODELS)",
        )
    place = fetching.add_mutually_exclusive_group()
    place.add_argument(
        "--offline",
        type=Path,
        metavar="DIR",
        help="take the file from this folder and leave the network alone",
    )
    place.add_argument(
        "--url", type=_address, default="", help="take it from this address, such as a mirror's"
    )


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        _list(args.to)
        return 0
    model = public_models.public_models()[args.name]
    path = public_models.fetch(model, args.to, offline=args.offline, url=args.url)
    print(f"{path}  {model.licence}, sha256 {model.sha256}")
    print(f"use it with the parameters detector:=yunet detector_model:={path}")
    return 0


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"'{text}' begins with neither http:// nor https://")
    return text


def _list(folder: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from edan_ros.engines.manifest import TASKS, load_manifest, shipped_models

    table = Table("model", "what", "licence", "kB", "here", box=box.SIMPLE)
    for task in TASKS:
        for name in shipped_models(task):
            manifest = load_manifest(name, task)
            size = manifest.path.stat().st_size
            terms = manifest.terms.partition(":")[0]
            table.add_row(name, f"{task}, ships", terms, f"{size / 1e3:.0f}", "yes")
    for model in public_models.public_models().values():
        here = "yes" if public_models.is_there(model, folder) else f"edan models fetch {model.name}"
        table.add_row(model.name, model.about, model.licence, f"{model.bytes / 1e3:.0f}", here)
    console = Console()
    console.print(table)
    console.print(f"Fetched models are kept in {folder}.", soft_wrap=True, highlight=False)
