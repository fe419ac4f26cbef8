"""What ``edan evaluate MODEL`` prints and writes as JSON. Tables are Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edan_ros.datasets.layouts import plain_name
from edan_ros.evaluation.emotions import Result
from edan_ros.evaluation.recognition import FOUND, WHOLE

#: Accuracy across databases as published (the seed paper, Tables 1 and 2), by layout.
_PUBLISHED_ON = ("ckplus", "jaffe", "ised")
PUBLISHED: dict[int, dict[str, tuple[float, float, float]]] = {
    7: {
        "CNN (2)": (0.628, 0.484, 0.516),
        "CNN (5)": (0.728, 0.502, 0.593),
        "Inception-V3": (0.304, 0.268, 0.479),
        "EmotionNet 2": (0.204, 0.249, 0.210),
        "EmotionalDAN": (0.736, 0.465, 0.620),
    },
    3: {
        "CNN (2)": (0.819, 0.525, 0.814),
        "CNN (5)": (0.920, 0.765, 0.867),
        "Inception-V3": (0.582, 0.536, 0.673),
        "EmotionNet 2": (0.478, 0.497, 0.587),
        "EmotionalDAN": (0.921, 0.634, 0.896),
    },
}


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The figures by set; what is not defined for a set is null."""
    return {
        "sets": {
            result.name: {
                "n": result.n,
                "accuracy": _number(result.accuracy),
                "macro_f1": _number(result.macro_f1),
                "ece": _number(result.reliability.error),
                "detected": _number(result.detected),
                "per_class": {
                    name: {key: _number(value) for key, value in figures.items()}
                    for name, figures in result.per_class().items()
                },
                "confusion": result.confusion.tolist(),
            }
            for result in results
        }
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def text(results: Sequence[Result], model: str) -> Iterator[str]:
    """The lines to print: overview, confusion of each set, and the accuracies side by side."""
    yield from overview(results)
    for result in results:
        if result.labelled:
            yield ""
            yield from confusion(result)
    if any(result.labelled for result in results):
        yield ""
        yield from side_by_side(results, model)


def overview(results: Sequence[Result]) -> Iterator[str]:
    """One row a set; what each holds and what was left out is said above it."""
    for result in results:
        yield f"{result.name}: {about(result)}"
    yield ""
    yield from markdown(
        (
            *("set", "crop", "n", "detected", "accuracy", "95 % (Wilson)", "of those found"),
            *("macro-F1", "ECE", "landmark error"),
        ),
        [_row(result) for result in results],
    )
    yield ""
    yield (
        "A face that was not found is an error in accuracy and macro-F1; ECE is that of the faces "
        "found."
    )
    if any(not math.isnan(result.landmark_error) for result in results):
        yield (
            "Landmark error: mean point distance over the distance of the outer eye corners, of "
            "the faces found; * against labels made by a model."
        )


def about(result: Result) -> str:
    """Which pictures were judged, what was left out, and where crops came from that the set does
    not give."""
    found, whole = result.placed(FOUND), result.placed(WHOLE)
    said = [result.faces.about, *result.faces.notes]
    if found and result.crop == "given":
        said.append(f"face placed by the detector ({found})")
    if whole:
        said.append(f"face taken to fill the picture, as the detector found none ({whole})")
    return "; ".join(said)


def _row(result: Result) -> tuple[str, ...]:
    low, high = result.interval
    found = result.confusion.sum()
    error = percent(result.landmark_error)
    return (
        result.name,
        result.crop,
        str(result.n),
        percent(result.detected),
        percent(result.accuracy),
        f"{percent(low)} to {percent(high)}" if result.labelled else "-",
        percent(np.trace(result.confusion) / found if found else math.nan),
        decimal(result.macro_f1),
        decimal(result.reliability.error),
        f"{error} *" if result.faces.pseudo_landmarks and error != "-" else error,
    )


def confusion(result: Result) -> Iterator[str]:
    """Counts: a row a true class, a column what was said; then how good each class is."""
    names = result.scale.names
    yield f"{result.name}: rows are the truth, columns what was said"
    classes = result.per_class()
    rows = []
    for i, name in enumerate(names):
        if name not in classes:
            continue
        figures = classes[name]
        counts = [str(count) for count in (*result.confusion[i], result.missed[i])]
        shares = [decimal(figures[key]) for key in ("recall", "precision", "f1")]
        rows.append((name, *counts, *shares))
    yield from markdown(("", *names, "not found", "recall", "precision", "F1"), rows)


def side_by_side(results: Sequence[Result], model: str) -> Iterator[str]:
    """Accuracy by model and set, in the form of the seed paper's Tables 1 and 2."""
    shown = [result for result in results if result.labelled]
    classes = len(shown[0].scale.names)
    rows = []
    columns = [_published_column(result) for result in shown]
    if any(column is not None for column in columns):
        for name, figures in PUBLISHED[classes].items():
            values = [math.nan if column is None else figures[column] for column in columns]
            rows.append((f"{name}, published", *map(decimal, values)))
    rows.append((model, *(decimal(result.accuracy) for result in shown)))
    yield f"Accuracy, {shown[0].scale.title}"
    yield from markdown(("", *(result.name for result in shown)), rows)


def _published_column(result: Result) -> int | None:
    """The column of PUBLISHED for a set, by its layout or by what it is called."""
    for name in (result.layout, plain_name(result.name)):
        if name in _PUBLISHED_ON:
            return _PUBLISHED_ON.index(name)
    return None


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table with its columns in line: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    yield line(header)
    rules = [
        "-" * max(width, 3) if not i else "-" * max(width - 1, 2) + ":"
        for i, width in enumerate(widths)
    ]
    yield f"|{'|'.join(f' {rule} ' for rule in rules)}|"
    for row in rows:
        yield line(row)


def percent(value: float) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def decimal(value: float) -> str:
    """A share with three decimals; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.3f}"
