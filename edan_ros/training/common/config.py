"""Configurations of training runs: YAML files, their renamed entries, and how to repeat them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from edan_ros.core.wording import did_you_mean

T = TypeVar("T")

_AUGMENTATION = {"miss": "background_crop_prob", "worn": "occluder_prob"}
#: Section of a configuration -> old name of an entry -> new name. "*" is any section. Version 0.6
#: accepts the old names with a warning; version 0.7 will refuse them.
RENAMED: dict[tuple[str, ...], dict[str, str]] = {
    (): {"epoch_draws": "epoch_samples", "pictures": "epoch_samples"},
    ("augmentation",): _AUGMENTATION,
    ("camera",): _AUGMENTATION,
    ("composition",): {
        "covered": "occluder_prob",
        "nobody": "background_image_prob",
        "shapes": "distractor_prob",
    },
    ("data",): {"nobody": "background_images"},
    ("data", "*"): {
        "certain": "min_score",
        "draws": "sampling_weight",
        "each": "crops_per_image",
        "pictures": "max_images",
        "second_opinion": "original_label_weight",
        "sharpen": "label_sharpening",
        "trust": "landmark_weight",
    },
}
#: Entries without a successor of the same meaning: accepted with a warning, and ignored.
REMOVED = {"logit_adjustment": "use loss: {logit_adjustment: 1.0} and train again"}


class ConfigError(ValueError):
    """A training configuration has a missing, unknown or impossible entry."""


@dataclass(frozen=True)
class Phase:
    """One phase of a run; it starts where the phase before ended.

    Attributes:
        epochs: length of the phase.
        learning_rate: peak of the schedule.
        stages: of an EmotionalDAN, 1 or 2. The second stage is trained with the first one frozen,
            as in DAN, unless neither a phase nor a model precedes it.
        joint: whether both stages are trained end to end.
    """

    epochs: int
    learning_rate: float
    stages: int | None = None
    joint: bool = False


@dataclass(frozen=True)
class Optimiser:
    """The optimiser, its schedule (linear warm-up, cosine decay) and the average of the weights.

    Attributes:
        kind: "sgd" (with Nesterov momentum) or "adam" (whose first beta is ``momentum``).
        warmup_epochs: length of the warm-up.
        ema: decay of the weight average per step.
        sharpness: radius of sharpness-aware steps (``training/common/sam.py``), 0 for none; 0.05
            is common.
    """

    kind: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    ema: float = 0.998
    sharpness: float = 0.0


#: What a value of each type is called in messages.
_NAMES = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "text",
    tuple: "a list",
}


def build(kind: Callable[..., T], values: Any, where: str) -> T:
    """Create a dataclass from the entries of a file. Raises ConfigError as `check_entries`."""
    return kind(**check_entries(kind, values, where))


def check_entries(
    function: Callable[..., Any], values: Any, where: str, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return entries of a file as the arguments of a function or dataclass.

    Args:
        function: its parameters and their types are the entries.
        values: the entries.
        where: names them in messages: "data: fer2013".
        given: parameters that are no entries.

    Raises:
        ConfigError: naming an entry that is unknown, missing or of another type.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: should hold a mapping of entries, not {values!r}")
    parameters = inspect.signature(function).parameters
    known = {name: p for name, p in parameters.items() if name not in given}
    refuse_unknown(values, known, where)
    missing = [n for n, p in known.items() if n not in values and p.default is p.empty]
    if missing:
        raise ConfigError(f"{where}: the entry {', '.join(missing)} is missing")
    is_class = inspect.isclass(function) and not is_dataclass(function)
    hints = get_type_hints(function.__init__ if is_class else function)
    return {name: _typed(v, hints.get(name), f"{where}: {name}") for name, v in values.items()}


def refuse_unknown(values: Iterable[Any], known: Iterable[str], where: str) -> None:
    """Raise ConfigError for an entry that is not among the known ones."""
    names = sorted(known)
    unknown = sorted(str(name) for name in values if name not in names)
    if unknown:
        hint = did_you_mean(unknown[0], names)
        raise ConfigError(
            f"{where}: unknown entry {', '.join(unknown)}; known: {', '.join(names)}{hint}"
        )


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Return a value of the type of a field; a number stands for text, as in ``version: 1.0``."""
    parts = (hint,) if get_origin(hint) in (dict, list, tuple) else get_args(hint) or (hint,)
    types = {get_origin(each) or each for each in parts}
    if not types <= {*_NAMES, NoneType}:  # a dataclass, which is built already
        return value
    if types == {str} and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if float in types and isinstance(value, str):
        with suppress(ValueError):  # YAML takes 1e-4 for text
            return float(value)
    accepted = tuple(types | ({int} if float in types else set()))
    accepted += (list,) if tuple in types else ()
    if isinstance(value, accepted) and not (isinstance(value, bool) and bool not in types):
        return value
    wanted = " or ".join(text for each, text in _NAMES.items() if each in types)
    raise ConfigError(f"{where} is {value!r}; it should be {wanted}")


def check_at_least(where: str, **limits: tuple[float, float]) -> None:
    """Raise ConfigError for a value below its limit. limits: entry -> (value, least)."""
    for name, (value, least) in limits.items():
        if not value >= least:  # nor is NaN
            raise ConfigError(f"{where}: {name} is {value:g}; it should be at least {least:g}")


def check_run_config(path: Path, config: Any, task: str) -> None:
    """Raise ConfigError for the entries of a run of one phase that its task cannot have.

    Args:
        path: of the configuration.
        config: has ``batch``, ``epochs``, ``epoch_samples`` and ``task``.
        task: the only value of ``task``.
    """
    check_at_least(
        str(path),
        batch=(config.batch, 1),
        epochs=(config.epochs, 0),
        epoch_samples=(config.epoch_samples, config.batch),
    )
    if config.task != task:
        raise ConfigError(f"{path}: task is {config.task!r}; it should be {task!r}")


def read_config(path: Path) -> dict[str, Any]:
    """Return the entries of a configuration, merged into those of the file named by ``base``.

    ``base`` is relative to the file. Mappings are merged entry by entry, one level deep; an entry
    without a value removes that of the base; anything else replaces it. Renamed entries get their
    new names. Raises ConfigError when a file cannot be read or holds no mapping.
    """

    def warn(message: str) -> None:
        warnings.warn(f"{path}: {message}", FutureWarning, stacklevel=2)

    raw = rename_entries(_read_yaml(path), warn)
    base = raw.pop("base", None)
    if base is None:
        return raw
    merged = read_config(path.parent / str(base))
    for name, value in raw.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            value = {k: v for k, v in {**below, **value}.items() if v is not None}
        merged[name] = value
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} should hold a mapping of entries")
    return raw


def rename_entries(
    entries: dict[str, Any],
    warn: Callable[[str], None] | None = None,
    section: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the entries of a section with the new names of :data:`RENAMED`.

    Args:
        entries: may have sections of their own.
        warn: called with a sentence for each old name.
        section: names of the enclosing sections.
    """
    pattern = ("data", "*") if section[:1] == ("data",) and len(section) == 2 else section
    renamed = RENAMED.get(pattern, {})
    result: dict[str, Any] = {}
    for name, value in entries.items():
        new = renamed.get(name, name)
        where = ": ".join((*section, name))
        if new != name and warn is not None:
            warn(f"the entry {where} is now called {new}; version 0.7 will refuse the old name")
        if not section and name in REMOVED:
            if warn is not None:
                warn(f"the entry {where} is ignored; {REMOVED[name]}")
            continue
        if isinstance(value, dict):
            value = rename_entries(value, warn, (*section, new))
        result[new] = value
    return result


def reproduce_command(
    config: Path, to: Path, *, half: bool = False, others: Sequence[Path] = ()
) -> str:
    """Return the command line that trains and exports a model from nothing.

    It holds all runs from the first one on, each named by the ``start`` of the next, and the
    export. Folders of runs are named after their configurations.

    Args:
        config: of the last run.
        to: folder of the export.
        half: whether large weights are stored as FP16.
        others: runs whose weights are averaged with those of the last one.

    Raises:
        ConfigError: if one of the configurations cannot be read.
    """
    steps = []
    for this, before in _run_chain(config):
        step = f"edan train {_portable(this)} --data DATA --out {this.stem}"
        steps.append(step + (f" --start {before.stem}" if before else ""))
    runs = " ".join([config.stem, *(run.name for run in others)])
    export = f"edan export {_portable(config)} {runs} --data DATA --to {_portable(to)}"
    return " && ".join([*steps, export + (" --half" if half else "")])


def _run_chain(config: Path) -> list[tuple[Path, Path | None]]:
    """Return each configuration with the one that it starts from, the first one first."""
    start = read_config(config).get("start")
    if not start:
        return [(config, None)]
    before = config.with_name(str(start))
    return [*_run_chain(before), (config, before)]


def _portable(path: Path) -> str:
    """Return a path without folders of this machine."""
    return path.name if path.is_absolute() else path.as_posix()
