"""What to type to make a model again: the command that its manifest tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edan_ros.training.common.config import with_base


def reproduction(config: Path, to: Path, *, half: bool = False, others: Sequence[Path] = ()) -> str:
    """All runs that led to a model, from the first one on, and its export.

    config: of the last run. Its entry ``start`` names the configuration that it begins with, beside
    it, and so on. to: the folder of the export. others: runs whose weights are averaged with the
    last one's. Folders of runs are called after their files.

    Raises ConfigError when one of the configurations cannot be read.
    """
    steps = []
    for this, before in _chain(config):
        step = f"edan train {_shown(this)} --data DATA --out {this.stem}"
        steps.append(step + (f" --start {before.stem}" if before else ""))
    runs = " ".join([config.stem, *(run.name for run in others)])
    export = f"edan export {_shown(config)} {runs} --data DATA --to {_shown(to)}"
    return " && ".join([*steps, export + (" --half" if half else "")])


def _chain(config: Path) -> list[tuple[Path, Path | None]]:
    """Each configuration with the one that it begins with, the first one first."""
    start = with_base(config).get("start")
    if not start:
        return [(config, None)]
    before = config.with_name(str(start))
    return [*_chain(before), (config, before)]


def _shown(path: Path) -> str:
    """A path as a manifest may tell it: nothing of this machine beyond the place it was run in."""
    return path.name if path.is_absolute() else path.as_posix()
