"""The learning curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from edan_ros.training.common.checkpoints import read_log

#: What the first panel is called: its terms differ by ten times, so its scale is logarithmic.
LOSSES = "training: terms of the loss"
#: One panel each: (title, (entry of the log, what the picture calls it)...).
PANELS = (
    (
        LOSSES,
        *(
            (f"train_{name}", name)
            for name in (
                "total",
                "emotion",
                "landmarks",
                "intermediate",
                "presence",
                "units",
                "teacher",
                "penalty",
            )
        ),
    ),
    (
        "validation: emotions",
        ("accuracy", "accuracy"),
        ("macro_f1", "macro-F1"),
    ),
    (
        "validation: landmark error / outer-eye distance",
        ("error_stage1", "stage 1"),
        ("error_landmarks", "last stage"),
    ),
)


def draw_curves(run: Path) -> Path | None:
    """Write ``curves.png`` of a run's log beside it; None while there is no epoch to show."""
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
    borders = [i + 0.5 for i in range(1, len(log)) if log[i]["phase"] != log[i - 1]["phase"]]
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels, strict=True):
        for name, label in lines:
            values = [entry.get(name, np.nan) for entry in log]
            axis.plot(epochs, values, marker=".", label=label)
        for border in borders:
            axis.axvline(border, color="0.8", linewidth=1, zorder=0)
        axis.set(title=title, xlabel="epoch", xlim=(0.5, len(log) + 0.5))
        axis.locator_params(axis="x", integer=True)
        if title == LOSSES:
            axis.set_yscale("log")
        axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        axis.grid(alpha=0.2)
    path = run / "curves.png"
    figure.savefig(path, dpi=110)
    return path
