"""The HTML report of an evaluation: confusion, calibration and failures of each set."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection
from edan_ros.drawing.privacy import apply_privacy
from edan_ros.evaluation.classification import SetResult
from edan_ros.evaluation.tables import decimal, percent, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Failures shown of each set, the most confident first.
SHOWN = 120
#: Side of a thumbnail, pixels.
THUMBNAIL = 96

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1c2833; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
.charts img { max-width: 49%; height: auto; vertical-align: top }
.faces { display: flex; flex-wrap: wrap; gap: .7rem }
figure { margin: 0; width: 8.6rem } figure img { width: 6rem; height: 6rem; display: block }
figcaption { font-size: .78rem; overflow-wrap: anywhere } b { color: #a93226 }
@media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #17202a }
  b { color: #f1948a } .charts img { background: #fff } }
"""


def write_report(
    folder: Path, results: Sequence[SetResult], model: str, privacy: str = "none"
) -> Path:
    """Write ``report.html`` and its images into a folder and return its path.

    Args:
        folder: created if it is missing.
        results: the sets.
        model: name of the model.
        privacy: one of PRIVACY_MODES, applied to the faces shown.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections = "\n".join(line for result in results for line in _section(result, folder, privacy))
    title = html.escape(f"{model} on {', '.join(result.name for result in results)}")
    page = folder / "report.html"
    page.write_text(
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>\n{sections}\n</body></html>\n",
        encoding="utf-8",
    )
    return page


def _section(result: SetResult, folder: Path, privacy: str) -> Iterator[str]:
    yield f"<h2>{html.escape(result.name)}</h2>"
    yield f"<p>{html.escape(summary(result))}; crop {result.crop_mode}</p>"
    low, high = result.accuracy.interval
    figures = [f"{result.n} images", f"face found in {percent(result.detected)}"]
    if result.has_emotions:
        figures += [
            f"accuracy {percent(result.accuracy.value)} (95 %: {percent(low)} to {percent(high)})",
            f"macro-F1 {decimal(result.macro_f1)}",
            f"ECE {decimal(result.reliability.error)}",
        ]
    if np.isfinite(result.landmark_error):
        figures.append(f"landmark error {percent(result.landmark_error)} of the outer eye distance")
    yield f"<p>{'; '.join(figures)}</p>"
    if result.has_emotions:
        name = re.sub(r"[^\w.-]+", "_", result.name)
        draw_confusion(result, folder / f"{name}-confusion.png")
        draw_reliability(result, folder / f"{name}-reliability.png")
        yield (
            f"<p class='charts'><img src='{name}-confusion.png' alt='confusion matrix'>"
            f"<img src='{name}-reliability.png' alt='reliability'></p>"
        )
    yield from _failures(result, privacy)


def _failures(result: SetResult, privacy: str) -> Iterator[str]:
    wrong = failures(result)
    lost = int((~result.found).sum())
    yield (
        f"<h3>{len(wrong)} failures, {lost} of them faces that were not found"
        f"{f'; the {SHOWN} most confident' if len(wrong) > SHOWN else ''}</h3><div class='faces'>"
    )
    for i in wrong[:SHOWN]:
        thumbnail = base64.b64encode(_jpeg(_thumbnail(result, i, privacy))).decode()
        truth = result.scheme.names[result.truth[i]] if result.truth[i] >= 0 else ""
        if result.found[i]:
            predicted = result.scheme.names[result.predicted[i]]
            verdict = f"{truth}, predicted <b>{predicted}</b> {result.probabilities[i].max():.2f}"
        else:
            verdict = f"{truth} <b>not found</b>"
        yield (
            f"<figure><img src='data:image/jpeg;base64,{thumbnail}' alt=''>"
            f"<figcaption>{verdict}<br>{html.escape(result.faces.samples[i].name)}</figcaption></figure>"
        )
    yield "</div>"


def failures(result: SetResult) -> NDArray[np.intp]:
    """Return the indices of faces not found, then of wrong predictions, most confident first."""
    lost = np.flatnonzero(~result.found)
    wrong = np.flatnonzero(result.found & (result.truth >= 0) & ~result.correct)
    confidence = result.probabilities[wrong].max(axis=1)
    return np.concatenate([lost, wrong[np.argsort(-confidence)]])


def _thumbnail(result: SetResult, i: int, privacy: str) -> NDArray[np.uint8]:
    """Return the crop of the predicted landmarks, or the full image without a prediction."""
    image = result.faces.samples[i].image()
    prediction = result.predictions[i]
    if prediction is None:
        scale = THUMBNAIL / max(image.width, image.height)
        matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    else:
        matrix = Crop.from_landmarks(prediction.landmarks).matrix(THUMBNAIL)
    side = (THUMBNAIL, THUMBNAIL)
    plain = np.asarray(cv2.warpAffine(image.bgr(), matrix, side, flags=cv2.INTER_AREA), np.uint8)
    # The whole thumbnail is a face or may show one.
    shown = apply_privacy(plain, [Detection(Box(0.0, 0.0, *side))], privacy)
    if privacy == "landmarks-only" and prediction is not None:
        for x, y in prediction.landmarks @ matrix[:, :2].T + matrix[:, 2]:
            cv2.circle(shown, (round(x), round(y)), 1, (235, 235, 235), -1, cv2.LINE_AA)
    return shown


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def draw_confusion(result: SetResult, path: Path) -> None:
    """Draw the confusion matrix: shares of each true class, faces not found included."""
    figure, axes = _figure(5.4, 4.6)
    counts = np.column_stack([result.confusion, result.missed])
    shown = counts[:, :-1] if not result.missed.any() else counts
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = shown / totals
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    names = result.scheme.names
    columns = [*names, "not found"][: shown.shape[1]]
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(
        range(len(names)), [f"{n} ({c.sum()})" for n, c in zip(names, counts, strict=True)]
    )
    for row, column in np.ndindex(*shown.shape):
        if shown[row, column]:
            colour = "white" if shares[row, column] > 0.55 else "black"
            text = f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set(xlabel="predicted", ylabel="true", title=f"{result.name}: % of each true class")
    figure.savefig(path, dpi=110)


def draw_reliability(result: SetResult, path: Path) -> None:
    """Draw the reliability diagram: accuracy over confidence."""
    figure, axes = _figure(4.6, 4.6)
    curve = result.reliability
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
    area = 20 + 300 * curve.count / max(int(curve.count.sum()), 1)
    axes.plot(curve.confidence, curve.accuracy, color="#1f77b4")
    axes.scatter(curve.confidence, curve.accuracy, s=area, color="#1f77b4")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="confidence",
        ylabel="accuracy",
        title=f"{result.name}: ECE {decimal(curve.error)}",
    )
    figure.savefig(path, dpi=110)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    # matplotlib is an extra, which the tables do not need.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()
