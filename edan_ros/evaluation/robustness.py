"""How much accuracy and landmarks suffer under what a camera on a robot sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edan_ros.core.crops import Crop
from edan_ros.core.faces import Box, Detection
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSet
from edan_ros.engines import Engine
from edan_ros.evaluation import distortions as d
from edan_ros.evaluation.metrics import landmark_error
from edan_ros.evaluation.recognition import Answer, in_crops
from edan_ros.evaluation.tables import markdown, percent

#: The clean condition, against which all others are held.
CLEAN = "clean"
_BATCH = 32


@dataclass(frozen=True)
class Condition:
    """title: what is done. distort: to every picture. yaw: range of the heads' asymmetry
    (``distortions.yaw_of``) that takes part."""

    title: str
    distort: d.Distortion
    yaw: tuple[float, float] = (0.0, np.inf)


CONDITIONS: tuple[Condition, ...] = (
    Condition(CLEAN, d.unchanged()),
    *(Condition(f"roll {angle} deg", d.turned(angle)) for angle in (10, 20, 30, 45)),
    Condition("yaw: asymmetry below 0.15", d.unchanged(), (0.0, 0.15)),
    Condition("yaw: asymmetry 0.15 to 0.35", d.unchanged(), (0.15, 0.35)),
    Condition("yaw: asymmetry 0.35 to 0.6", d.unchanged(), (0.35, 0.6)),
    Condition("yaw: asymmetry above 0.6", d.unchanged(), (0.6, np.inf)),
    *(Condition(f"face of {size} px", d.reduced(size)) for size in (96, 64, 48, 32, 24, 20)),
    *(Condition(f"blur, {100 * p:.0f} % of the face", d.blurred(p)) for p in (0.01, 0.02, 0.04)),
    *(Condition(f"noise of {sd} grey levels", d.noisy(sd)) for sd in (5, 10, 20, 40)),
    *(Condition(f"under-exposed, stops: {n}", d.exposed(-n)) for n in (1, 2, 4, 6)),
    *(Condition(f"over-exposed, stops: {n}", d.exposed(n)) for n in (1, 2)),
    *(Condition(f"JPEG {quality}", d.compressed(quality)) for quality in (90, 50, 30, 10)),
    Condition("mouth under a mask", d.masked()),
    Condition("eyes under sunglasses", d.sunglasses()),
)


@dataclass(frozen=True)
class Row:
    """Of one condition: name of a set -> pictures ``n`` that take part, accuracy ``accuracy`` of
    those with an emotion, ``landmark_error`` over the outer eye distance; NaN where there is none.
    """

    title: str
    figures: dict[str, dict[str, float]]


def measure(engine: Engine, sets: Mapping[str, FaceSet]) -> Iterator[Row]:
    """Each of CONDITIONS on all sets.

    As in the live pipeline the model looks twice: first at the upright box of the landmarks, as a
    detector that knows nothing of roll gives it, then at the crop of what it found there.

    Raises DataError for a set without landmarks: what is done to a face needs to know where it is.
    """
    views = {name: _views(name, faces) for name, faces in sets.items()}
    for condition in CONDITIONS:
        figures = {
            name: _figures(engine, sets[name], pairs, condition) for name, pairs in views.items()
        }
        yield Row(condition.title, figures)


def _views(name: str, faces: FaceSet) -> list[tuple[int, d.View]]:
    """(index, view) of the records whose landmarks are known."""
    views = [
        (i, d.View(record.image().gray(), record.landmarks.astype(np.float64)))
        for i, record in enumerate(faces.records)
        if record.landmarks is not None
    ]
    if not views:
        raise DataError(
            f"{name}: no picture has landmarks, by which it is turned, reduced and covered; "
            "measure robustness on fer2013 and landmarks68, or another set with landmarks"
        )
    return views


def _figures(
    engine: Engine, faces: FaceSet, views: Sequence[tuple[int, d.View]], condition: Condition
) -> dict[str, float]:
    rng = np.random.default_rng(0)
    low, high = condition.yaw
    shown = [
        (i, seen)
        for i, view in views
        if low <= d.yaw_of(view.landmarks) < high
        and (seen := condition.distort(view, rng)) is not None
    ]
    right, errors = [], []
    for start in range(0, len(shown), _BATCH):
        batch = shown[start : start + _BATCH]
        for (i, view), answer in zip(batch, _read(engine, batch), strict=True):
            errors.append(landmark_error(answer.landmarks[None], view.landmarks[None])[0])
            emotion = faces.records[i].emotion
            if emotion is not None:
                right.append(answer.probabilities.argmax() == emotion)
    return {
        "n": len(shown),
        "accuracy": float(np.mean(right)) if right else float("nan"),
        "landmark_error": float(np.mean(errors)) if errors else float("nan"),
    }


def _read(engine: Engine, batch: Sequence[tuple[int, d.View]]) -> list[Answer]:
    images = [Image(view.pixels, "mono") for _, view in batch]
    boxes = [Detection(Box.from_landmarks(view.landmarks)) for _, view in batch]
    return in_crops(engine, images, [Crop.from_detection(box) for box in boxes], refinements=1)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """A row a condition: accuracy of the sets with emotions and landmark error of the others,
    each with its difference from the clean figure."""
    clean = rows[0].figures
    columns = [
        (name, key)
        for name, figures in clean.items()
        for key in ("accuracy", "landmark_error")
        if np.isfinite(figures[key])
    ]
    header = [""]
    for name, key in columns:
        header += [f"{name}, {key.replace('_', ' ')}", "against clean", "n"]
    body = []
    for row in rows:
        cells = [row.title]
        for name, key in columns:
            value = row.figures[name][key]
            change = 100 * (value - clean[name][key])
            known = np.isfinite(value)
            cells += [percent(value), f"{change:+.1f}" if known else "-"]
            cells.append(f"{row.figures[name]['n']:.0f}")
        body.append(cells)
    yield from markdown(header, body)
    yield ""
    yield (
        "Landmark error: mean point distance over the distance of the outer eye corners. The model "
        "looks twice, first at the upright box of the landmarks."
    )
