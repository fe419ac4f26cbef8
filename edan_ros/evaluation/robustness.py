"""How much accuracy and landmarks suffer under what a camera on a robot sees."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSet
from edan_ros.engines import Engine
from edan_ros.evaluation import distortions as d
from edan_ros.evaluation.metrics import landmark_error
from edan_ros.evaluation.recognition import FacePrediction, predict_crops
from edan_ros.evaluation.tables import markdown, percent

#: The clean condition, against which all others are held.
CLEAN = "clean"
#: What is measured of each set, in the order of the table.
FIGURES = ("accuracy", "landmark_error")
#: Half a 95 % interval in standard errors.
NINETY_FIVE = 1.96
EVERY_YAW = (0.0, np.inf)
_BATCH = 32


@dataclass(frozen=True)
class Condition:
    """title: what is done. distort: to every picture. yaw: range of the heads' asymmetry
    (``distortions.yaw_of``) that takes part."""

    title: str
    distort: d.Distortion
    yaw: tuple[float, float] = EVERY_YAW


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
    """Of one condition: name of a set -> ``n`` pictures that take part, ``accuracy`` of those with
    an emotion and ``landmark_error`` over the outer eye distance; what each has changed against
    clean, ``accuracy_change``, and half of that change's 95 % interval, ``accuracy_change_95``.
    NaN where there is none.
    """

    title: str
    figures: dict[str, dict[str, float]]


@dataclass(frozen=True)
class _Read:
    """What came of the pictures ``index`` of a set, each a row: whether the emotion was right, NaN
    where none is known, and the landmark error."""

    index: NDArray[np.intp]
    accuracy: NDArray[np.float64]
    landmark_error: NDArray[np.float64]

    def of(self, index: NDArray[np.intp]) -> _Read:
        """The same of some of the pictures, all of which are here."""
        rows = np.searchsorted(self.index, index)
        return _Read(index, self.accuracy[rows], self.landmark_error[rows])


def measure(engine: Engine, sets: Mapping[str, FaceSet]) -> Iterator[Row]:
    """Each of CONDITIONS on all sets, the clean one first.

    As in the live pipeline the model looks twice: first at the upright box of the landmarks, as a
    detector that knows nothing of roll gives it, then at the crop of what it found there.

    Raises DataError for a set without landmarks: what is done to a face needs to know where it is.
    """
    views = {name: _views(name, faces) for name, faces in sets.items()}
    clean: dict[str, _Read] = {}
    for condition in CONDITIONS:
        figures = {}
        for name, pairs in views.items():
            if condition.title == CLEAN:
                clean[name] = _read(engine, sets[name], pairs, condition.distort)
            figures[name] = _figures(engine, sets[name], pairs, condition, clean[name])
        yield Row(condition.title, figures)


def _views(name: str, faces: FaceSet) -> list[tuple[int, d.View]]:
    """(index, view) of the records whose landmarks are known."""
    views = [
        (i, d.View(record.image().gray(), record.landmarks.astype(np.float64)))
        for i, record in enumerate(faces.samples)
        if record.landmarks is not None
    ]
    if not views:
        raise DataError(
            f"{name}: no picture has landmarks, by which it is turned, reduced and covered; "
            "measure robustness on fer2013 and landmarks68, or another set with landmarks"
        )
    return views


def _figures(
    engine: Engine,
    faces: FaceSet,
    views: Sequence[tuple[int, d.View]],
    condition: Condition,
    clean: _Read,
) -> dict[str, float]:
    if condition.yaw == EVERY_YAW:
        read = clean if condition.title == CLEAN else _read(engine, faces, views, condition.distort)
        change = _change(read, clean.of(read.index))
    else:  # other heads, the same pictures of them: nothing is read again
        low, high = condition.yaw
        some = [i for i, view in views if low <= d.yaw_of(view.landmarks) < high]
        read = clean.of(np.array(some, np.intp))
        rest = clean.of(np.setdiff1d(clean.index, read.index))
        change = _difference(read, clean, rest)
    means = {name: _mean(getattr(read, name)) for name in FIGURES}
    return {"n": len(read.index), **means, **change}


def _read(
    engine: Engine, faces: FaceSet, views: Sequence[tuple[int, d.View]], distort: d.Distortion
) -> _Read:
    rng = np.random.default_rng(0)
    shown = [(i, seen) for i, view in views if (seen := distort(view, rng)) is not None]
    right, errors = [], []
    for start in range(0, len(shown), _BATCH):
        batch = shown[start : start + _BATCH]
        for (i, view), answer in zip(batch, _answers(engine, batch), strict=True):
            errors.append(landmark_error(answer.landmarks[None], view.landmarks[None])[0])
            emotion = faces.samples[i].emotion
            known = emotion is not None
            right.append(float(answer.probabilities.argmax() == emotion) if known else np.nan)
    return _Read(np.array([i for i, _ in shown], np.intp), np.array(right), np.array(errors))


def _answers(engine: Engine, batch: Sequence[tuple[int, d.View]]) -> list[FacePrediction]:
    images = [Image(view.pixels, "mono") for _, view in batch]
    boxes = [Detection(Box.from_landmarks(view.landmarks)) for _, view in batch]
    return predict_crops(engine, images, [box.crop() for box in boxes], refinements=1)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _change(read: _Read, clean: _Read) -> dict[str, float]:
    """Picture by picture, so that what is hard anyway does not blur it."""
    found = {}
    for name in FIGURES:
        off = getattr(read, name) - getattr(clean, name)
        off = off[np.isfinite(off)]
        found[f"{name}_change"] = _mean(off)
        found[f"{name}_change_95"] = NINETY_FIVE * _standard_error(off)
    return found


def _difference(read: _Read, clean: _Read, rest: _Read) -> dict[str, float]:
    """Of some pictures against all: against the rest, by the share that the rest is."""
    found = {}
    for name in FIGURES:
        some, others = getattr(read, name), getattr(rest, name)
        some, others = some[np.isfinite(some)], others[np.isfinite(others)]
        share = len(others) / max(len(some) + len(others), 1)
        error = share * float(np.hypot(_standard_error(some), _standard_error(others)))
        found[f"{name}_change"] = _mean(some) - _mean(getattr(clean, name))
        found[f"{name}_change_95"] = NINETY_FIVE * error
    return found


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std() / np.sqrt(len(values))) if len(values) else float("nan")


def as_json(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The figures by condition and set; null where there is none."""
    return {
        row.title: {
            name: {key: value if np.isfinite(value) else None for key, value in figures.items()}
            for name, figures in row.figures.items()
        }
        for row in rows
    }


def table(rows: Sequence[Row], pseudo: Collection[str] = ()) -> Iterator[str]:
    """A row a condition: accuracy and landmark error of each set, with what they have changed.

    pseudo: sets whose landmarks a model made; their landmark error is shown where no other is.
    """
    clean = rows[0].figures
    columns = [(n, key) for n in clean for key in FIGURES if np.isfinite(clean[n][key])]
    better = [c for c in columns if c[1] != "landmark_error" or c[0] not in pseudo]
    if any(key == "landmark_error" for _, key in better):
        columns = better
    header = [""]
    for name, key in columns:
        header += [f"{name}, {key.replace('_', ' ')}", "against clean", "n"]
    body = []
    for row in rows:
        cells = [row.title]
        for name, key in columns:
            figures = row.figures[name]
            change, spread = (100 * figures[f"{key}_change{end}"] for end in ("", "_95"))
            shown = f"{change:+.1f} ± {spread:.1f}" if np.isfinite(change) else "-"
            cells += [percent(figures[key]), "" if row.title == CLEAN else shown]
            cells.append(f"{figures['n']:.0f}")
        body.append(cells)
    yield from markdown(header, body)
    yield ""
    yield (
        "Against clean: percentage points with their 95 % interval, on the same pictures; of yaw, "
        "against all heads. Landmark error: mean point distance over the distance of the outer eye "
        "corners. The model looks twice, first at the upright box of the landmarks."
    )
