"""The log of a run, ``log.jsonl`` with one line per epoch, and its learning curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from edan_ros.drawing.charts import Line, Panel, line_chart

T = TypeVar("T")
LOG = "log.jsonl"
#: Entries of the log and their names in the figure, by panel. The terms of the loss differ by a
#: factor of ten: their scale is logarithmic.
_LOSSES = {
    "total": "total",
    "emotion": "emotion",
    "landmarks": "landmarks",
    "intermediate": "landmarks, first stage",
    "presence": "presence",
    "units": "action units",
    "consistency": "consistency",
    "teacher": "distillation",
    "penalty": "penalty",
    "score": "score",
    "box": "box",
    "points": "points",
}
_PANELS = {
    "Training: terms of the loss": {f"train_{key}": name for key, name in _LOSSES.items()},
    "Validation: emotions": {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "accuracy_3": "accuracy, 3 classes",
        "accuracy_kdef": "accuracy, kdef",
        "accuracy_london": "accuracy, london",
    },
    "Validation: landmark error / outer-eye distance": {
        "error_stage1": "first stage",
        "error_landmarks": "last stage",
    },
}


def read_log(run: Path) -> list[dict[str, float]]:
    """Return the entries of a run's log, without any for a run that has none yet.

    Phases and epochs count from 1. Logs of version 0.5 and earlier counted from 0 and, for the
    detector, had no phase; their entries are converted.
    """
    path = run / LOG
    if not path.is_file():
        return []
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if entries and entries[0]["epoch"] == 0:
        entries = [
            {**entry, "phase": entry.get("phase", 0) + 1, "epoch": entry["epoch"] + 1}
            for entry in entries
        ]
    return entries


def terminal_progress(items: Sequence[T], title: str) -> Iterator[T]:
    """Yield the items, with a progress bar on standard error if that is a terminal."""
    yield from tqdm(items, desc=title, disable=None, mininterval=0.5, leave=False)


def append_log(run: Path, entry: dict[str, float]) -> None:
    """Append an entry to the run's log and print it."""
    with (run / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    tqdm.write("  ".join(f"{name} {value:.4g}" for name, value in entry.items()))


def drop_log_from(run: Path, phase: int, epoch: int) -> None:
    """Drop the entries of a phase from an epoch on, because it will be trained again."""
    if (run / LOG).is_file():
        kept = [e for e in read_log(run) if e["phase"] != phase or e["epoch"] < epoch]
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        (run / LOG).write_text(text, encoding="utf-8")


def draw_curves(run: Path) -> Path | None:
    """Write ``curves.svg`` from a run's log; return its path, or None for an empty log."""
    log = read_log(run)
    if not log:
        return None
    epochs = range(1, len(log) + 1)
    ends = [i + 0.5 for i in range(1, len(log)) if log[i]["phase"] != log[i - 1]["phase"]]
    panels = [
        Panel(
            title,
            [
                Line(label, epochs, [entry.get(name, math.nan) for entry in log])
                for name, label in names.items()
                if any(name in entry for entry in log)
            ],
            x_title="epoch, over all phases" if ends else "epoch",
            y_log=names.keys() == next(iter(_PANELS.values())).keys(),
            dividers=ends,
        )
        for title, names in _PANELS.items()
        if any(name in entry for name in names for entry in log)
    ]
    path = run / "curves.svg"
    path.write_text(line_chart(panels), encoding="utf-8")
    return path
