"""Tables of an evaluation, in Markdown, and its figures for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edan_ros.core.wording import markdown_table
from edan_ros.datasets.layouts import plain_name
from edan_ros.evaluation.classification import SetResult
from edan_ros.evaluation.metrics import Proportion
from edan_ros.evaluation.recognition import DETECTED, FULL_IMAGE

#: Accuracy on other databases (Tautkute et al. 2018, Tables 1 and 2) by number of classes and
#: model, in the order of _PUBLISHED_ON.
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
_PUBLISHED_ON = ("ckplus", "jaffe", "ised")


def as_json(results: Sequence[SetResult]) -> dict[str, Any]:
    """Return the figures by set, and their means over several sets with emotions.

    Figures that are not defined for a set are null.
    """
    labelled = [result for result in results if result.has_emotions]
    figures: dict[str, Any] = {
        "sets": {
            result.name: {
                "n": result.n,
                "accuracy": number(result.accuracy.value),
                "macro_f1": number(result.macro_f1),
                "ece": number(result.reliability.error),
                "detected": number(result.detected),
                "landmark_error": number(result.landmark_error),
                "per_class": {
                    name: {key: number(value) for key, value in columns.items()}
                    for name, columns in result.per_class().items()
                },
                "confusion": result.confusion.tolist(),
            }
            for result in results
        }
    }
    if len(labelled) > 1:
        figures["mean"] = {
            "accuracy": float(np.mean([result.accuracy.value for result in labelled])),
            "macro_f1": float(np.mean([result.macro_f1 for result in labelled])),
            "ece": number(float(np.mean([result.reliability.error for result in labelled]))),
        }
    return figures


def text(results: Sequence[SetResult], model: str) -> Iterator[str]:
    """Yield the printed lines: overview, confusion matrices, accuracies side by side."""
    yield from overview(results)
    labelled = [result for result in results if result.has_emotions]
    for result in labelled:
        yield ""
        yield from confusion(result)
    if labelled:
        yield ""
        yield from side_by_side(labelled, model)


def overview(results: Sequence[SetResult]) -> Iterator[str]:
    """Yield a summary of each set, and a table with a row per set."""
    for result in results:
        yield f"{result.name}: {summary(result)}"
    yield ""
    yield from markdown_table(
        (
            *("set", "crop", "n", "detected", "accuracy", "95 % (Wilson)", "of those found"),
            *("macro-F1", "ECE", "landmark error"),
        ),
        [_row(result) for result in results],
    )
    yield ""
    yield "A face that was not found is an error in accuracy and macro-F1. ECE: of the faces found."
    if any(not math.isnan(result.landmark_error) for result in results):
        yield (
            "Landmark error: mean point distance over the distance of the outer eye corners, of "
            "the faces found; * against labels made by a model."
        )


def summary(result: SetResult) -> str:
    """Return the images that were evaluated, what was left out, and crops not annotated."""
    detected, full = result.count_crops(DETECTED), result.count_crops(FULL_IMAGE)
    parts = [result.faces.about, *result.faces.notes]
    if detected and result.crop_mode == "given":
        parts.append(f"crop by the detector ({detected})")
    if full:
        parts.append(f"crop of the full image without a detection ({full})")
    return "; ".join(parts)


def _row(result: SetResult) -> tuple[str, ...]:
    low, high = result.accuracy.interval
    found = result.confusion.sum()
    error = percent(result.landmark_error)
    return (
        result.name,
        result.crop_mode,
        str(result.n),
        percent(result.detected),
        percent(result.accuracy.value),
        f"{percent(low)} to {percent(high)}" if result.has_emotions else "-",
        percent(np.trace(result.confusion) / found if found else math.nan),
        decimal(result.macro_f1),
        decimal(result.reliability.error),
        f"{error} *" if result.faces.pseudo_landmarks and error != "-" else error,
    )


def confusion(result: SetResult) -> Iterator[str]:
    """Yield a table of counts by true and predicted class, with the metrics of each class."""
    names, classes = result.scheme.names, result.per_class()
    rows = []
    for i, name in enumerate(names):
        if name in classes:
            counts = [str(count) for count in (*result.confusion[i], result.missed[i])]
            shares = [decimal(classes[name][key]) for key in ("recall", "precision", "f1")]
            rows.append((name, *counts, *shares))
    yield f"{result.name}: a row per true class, a column per predicted class"
    yield from markdown_table(("", *names, "not found", "recall", "precision", "F1"), rows)


def side_by_side(results: Sequence[SetResult], model: str) -> Iterator[str]:
    """Yield a table of accuracies by model and set, and their mean over several sets.

    It has the form of Tables 1 and 2 of Tautkute et al. 2018, whose figures stand beside sets
    that they report. All sets have emotions.
    """
    several = len(results) > 1
    published = [_published_column(result) for result in results]
    rows = []
    if any(column is not None for column in published):
        for name, figures in PUBLISHED[len(results[0].scheme.names)].items():
            values = [math.nan if column is None else figures[column] for column in published]
            rows.append((f"{name}, published", *map(decimal, values), *["-"] * several))
    own = [result.accuracy.value for result in results]
    rows.append((model, *map(decimal, own), *[decimal(float(np.mean(own)))] * several))
    yield f"Accuracy, {results[0].scheme.title}"
    yield from markdown_table(("", *(result.name for result in results), *["mean"] * several), rows)


def _published_column(result: SetResult) -> int | None:
    """Return the column of PUBLISHED of a set, by its layout or its name."""
    for name in (result.layout, plain_name(result.name)):
        if name in _PUBLISHED_ON:
            return _PUBLISHED_ON.index(name)
    return None


def number(value: float) -> float | None:
    """Return the value for JSON; None for NaN."""
    return None if math.isnan(value) else value


def percent(value: float) -> str:
    """Return a share as a percentage; a dash for NaN."""
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def proportion(value: Proportion) -> str:
    """Return a share as a percentage with its 95 % interval; a dash without trials."""
    if not value.n:
        return "-"
    low, high = value.interval
    return f"{100 * value.value:.1f} % ({100 * low:.0f} to {100 * high:.0f})"


def decimal(value: float) -> str:
    """Return a share with three decimals; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"
