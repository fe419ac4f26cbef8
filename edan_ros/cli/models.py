"""List the available models, and download third-party ones by name."""

from __future__ import annotations

import argparse
from pathlib import Path

from edan_ros.engines import public_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list|fetch")
    parser.set_defaults(to=public_models.models_folder())  # without an action: list
    listing = actions.add_parser("list", help="list the models of the package and downloads")
    fetching = actions.add_parser("fetch", help="download a model and check its SHA-256")
    fetching.add_argument("name", choices=sorted(public_models.public_models()))
    for action in (listing, fetching):
        action.add_argument(
            "--to",
            type=Path,
            default=public_models.models_folder(),
            metavar="DIR",
            help="folder of downloaded models (default: %(default)s, or $EDAN_ROS_MODELS)",
        )
    origin = fetching.add_mutually_exclusive_group()
    origin.add_argument(
        "--offline", type=Path, metavar="DIR", help="copy the file from this folder instead"
    )
    origin.add_argument("--url", type=_address, help="download from this address, such as a mirror")


def run(args: argparse.Namespace) -> int:
    if args.action in (None, "list"):
        _list(args.to)
        return 0
    model = public_models.public_models()[args.name]
    path = public_models.fetch(model, args.to, offline=args.offline, url=args.url or "")
    print(f"{path}  {model.licence}, sha256 {model.sha256}")
    detector = f"--detector yunet --detector-model {path}"
    print(f"Use it with {'edan benchmark --peers' if model.name == 'fer-opencv' else detector}")
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

    table = Table("model", "description", "licence", "MB", "available", box=box.SIMPLE)
    for task in TASKS:
        for name in shipped_models(task):
            manifest = load_manifest(name, task)
            size = f"{manifest.path.stat().st_size / 1e6:.1f}"
            licence = manifest.terms.partition(":")[0]
            table.add_row(name, f"{task}, included", licence, size, "yes")
    for model in public_models.public_models().values():
        present = public_models.is_present(model, folder)
        available = "yes" if present else f"edan models fetch {model.name}"
        size = f"{model.bytes / 1e6:.1f}"
        table.add_row(model.name, model.description, model.licence, size, available)
    console = Console()
    console.print(table)
    console.print(f"Downloads are kept in {folder}.", soft_wrap=True, highlight=False)
