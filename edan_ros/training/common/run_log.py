"""The log of a run, ``log.jsonl`` with one line per epoch, and its learning curves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

LOG = "log.jsonl"
#: Title of the panel of losses. Its terms differ by a factor of ten: the scale is logarithmic.
LOSSES = "training: terms of the loss"
_TERMS = (
    *("total", "emotion", "landmarks", "intermediate", "presence", "units", "teacher", "penalty"),
    *("score", "box", "points"),
)
#: One panel each: (title, (entry of the log, label in the figure)...).
PANELS = (
    (LOSSES, *((f"train_{name}", name) for name in _TERMS)),
    ("validation: emotions", ("accuracy", "accuracy"), ("macro_f1", "macro-F1")),
    (
        "validation: landmark error / outer-eye distance",
        ("error_stage1", "stage 1"),
        ("error_landmarks", "last stage"),
    ),
)


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
    """Write ``curves.png`` from a run's log; return its path, or None for an empty log."""
    log = read_log(run)
    if not log:
        return None
    panels = [
        (title, found)
        for title, *lines in PANELS
        if (found := [line for line in lines if any(line[0] in entry for entry in log)])
    ]
    figure = Figure(figsize=(4.6 * len(panels), 4.0), layout="constrained")
    epochs = np.arange(1, len(log) + 1)
    phase_ends = [i + 0.5 for i in range(1, len(log)) if log[i]["phase"] != log[i - 1]["phase"]]
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels, strict=True):
        for name, label in lines:
            axis.plot(epochs, [entry.get(name, np.nan) for entry in log], marker=".", label=label)
        for end in phase_ends:
            axis.axvline(end, color="0.8", linewidth=1, zorder=0)
        axis.set(title=title, xlabel="epoch", xlim=(0.5, len(log) + 0.5))
        axis.locator_params(axis="x", integer=True)
        if title == LOSSES:
            axis.set_yscale("log")
        axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        axis.grid(alpha=0.2)
    path = run / "curves.png"
    figure.savefig(path, dpi=110)
    return path
