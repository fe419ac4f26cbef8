"""The HTML report of an evaluation: figures, confusion, calibration and failures of each set."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Detection
from edan_ros.core.wording import plural
from edan_ros.drawing.pages import page_environment, stylesheet
from edan_ros.drawing.privacy import apply_privacy
from edan_ros.evaluation.classification import SetResult
from edan_ros.evaluation.tables import decimal, percent, summary

#: Failures shown of each set, the most confident first.
SHOWN = 120
#: Side of a thumbnail in pixels.
THUMBNAIL = 128
#: Side of the reliability diagram in units of its SVG, and largest radius of a disc.
_SIDE, _RADIUS = 300.0, 22.0


def write_report(
    folder: Path, results: Sequence[SetResult], model: str, privacy: str = "none"
) -> Path:
    """Write ``report.html``, which holds all it shows, into a folder and return its path.

    Args:
        folder: created if it is missing.
        results: the sets.
        model: name of the model.
        privacy: one of PRIVACY_MODES, applied to the faces shown.

    Raises:
        OSError: if the folder cannot be written.
    """
    environment = page_environment("edan_ros.evaluation", ".")
    folder.mkdir(parents=True, exist_ok=True)
    environment.filters["plural"] = plural
    page = folder / "report.html"
    text = environment.get_template("report.html").render(
        title=f"{model} on {', '.join(result.name for result in results)}",
        style=stylesheet(),
        labels=EMOTIONS,
        sets=[_section(result, privacy) for result in results],
    )
    page.write_text(text, encoding="utf-8")
    return page


def _section(result: SetResult, privacy: str) -> dict[str, Any]:
    wrong = failures(result)
    section = {
        "name": result.name,
        "about": f"{summary(result)}; crop: {result.crop_mode}",
        "figures": list(_figures(result)),
        "rows": [],
        "wrong": len(wrong),
        "lost": int((~result.found).sum()),
        "failures": [_failure(result, i, privacy) for i in wrong[:SHOWN].tolist()],
    }
    return section | (_charts(result) if result.has_emotions else {})


def _figures(result: SetResult) -> Iterator[dict[str, str]]:
    def figure(name: str, value: str, more: str = "") -> dict[str, str]:
        return {"name": name, "value": value, "more": more}

    yield figure("Images", str(result.n))
    yield figure("Face found", percent(result.detected))
    if result.has_emotions:
        low, high = result.accuracy.interval
        yield figure(
            "Accuracy", percent(result.accuracy.value), f"95 %: {percent(low)} to {percent(high)}"
        )
        yield figure("Macro-F1", decimal(result.macro_f1), "mean over the classes")
        yield figure("ECE", decimal(result.reliability.error), "expected calibration error")
    if np.isfinite(result.landmark_error):
        yield figure("Landmark error", percent(result.landmark_error), "of the outer eye distance")


def _charts(result: SetResult) -> dict[str, Any]:
    """Return the confusion matrix as shares of each true class, and the reliability diagram."""
    counts = np.column_stack([result.confusion, result.missed])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    columns = [*result.scheme.names, "not found"]
    if not result.missed.any():
        shares, columns = shares[:, :-1], columns[:-1]
    rows = [
        {"name": name, "n": int(row.sum()), "shares": share.tolist()}
        for name, row, share in zip(result.scheme.names, counts, shares, strict=True)
    ]
    curve = result.reliability
    x, y = _SIDE * curve.confidence, _SIDE * (1.0 - curve.accuracy)
    radius = _RADIUS * np.sqrt(curve.count / max(int(curve.count.max(initial=1)), 1))
    points = np.column_stack([x, y, np.maximum(radius, 2.0)]).tolist()
    return {"columns": columns, "rows": rows, "reliability": points}


def _failure(result: SetResult, i: int, privacy: str) -> dict[str, str]:
    names, found = result.scheme.names, bool(result.found[i])
    return {
        "thumbnail": _jpeg(_thumbnail(result, i, privacy)),
        "truth": names[result.truth[i]] if result.truth[i] >= 0 else "no label",
        "predicted": names[result.predicted[i]] if found else "",
        "confidence": f"{result.probabilities[i].max():.2f}" if found else "",
        "name": result.faces.samples[i].name,
    }


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


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return base64.b64encode(data.tobytes()).decode()
