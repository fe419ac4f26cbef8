"""Accuracy and landmark error under distortions that a camera on a robot produces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.core.wording import markdown_table
from edan_ros.datasets import DataError, FaceSet
from edan_ros.engines import Engine
from edan_ros.evaluation import distortions as d
from edan_ros.evaluation.metrics import finite_mean, landmark_error
from edan_ros.evaluation.recognition import FacePrediction, predict_crops
from edan_ros.evaluation.tables import number, percent

#: The condition that all others are compared with.
CLEAN = "clean"
#: Metrics of each set, in the order of the table.
METRICS = ("accuracy", "landmark_error")
#: Half a 95 % interval in standard errors.
_Z = 1.96
ALL_HEADS = (0.0, np.inf)
_BATCH = 32


@dataclass(frozen=True)
class Condition:
    """A condition of the evaluation.

    Attributes:
        title: of the row.
        distort: applied to every image.
        heads: range of the asymmetry (``distortions.asymmetry``) of the heads that take part.
    """

    title: str
    distort: d.Distortion
    heads: tuple[float, float] = ALL_HEADS


CONDITIONS: tuple[Condition, ...] = (
    Condition(CLEAN, d.unchanged()),
    *(Condition(f"roll {angle} deg", d.rotated(angle)) for angle in (10, 20, 30, 45)),
    Condition("yaw: asymmetry below 0.15", d.unchanged(), (0.0, 0.15)),
    Condition("yaw: asymmetry 0.15 to 0.35", d.unchanged(), (0.15, 0.35)),
    Condition("yaw: asymmetry 0.35 to 0.6", d.unchanged(), (0.35, 0.6)),
    Condition("yaw: asymmetry above 0.6", d.unchanged(), (0.6, np.inf)),
    *(Condition(f"face of {size} px", d.downscaled(size)) for size in (96, 64, 48, 32, 24, 20)),
    *(Condition(f"blur, {100 * p:.0f} % of the face", d.blurred(p)) for p in (0.01, 0.02, 0.04)),
    *(Condition(f"noise of {sd} grey levels", d.noisy(sd)) for sd in (5, 10, 20, 40)),
    *(Condition(f"under-exposed, stops: {n}", d.exposed(-n)) for n in (1, 2, 4, 6)),
    *(Condition(f"over-exposed, stops: {n}", d.exposed(n)) for n in (1, 2)),
    *(Condition(f"JPEG {quality}", d.compressed(quality)) for quality in (90, 50, 30, 10)),
    Condition("mouth under a mask", d.masked()),
    Condition("eyes under sunglasses", d.sunglasses()),
)


@dataclass(frozen=True)
class ConditionResult:
    """The figures under one condition, by set.

    ``n`` images take part. ``accuracy`` is that of the images with an emotion, ``landmark_error``
    is in outer eye distances; each has a ``_change`` against clean and, as ``_change_95``, half
    of the change's 95 % interval. NaN where a figure is not defined.
    """

    title: str
    figures: dict[str, dict[str, float]]


@dataclass(frozen=True)
class _Scores:
    """Scores of the images ``index`` of a set, ascending.

    accuracy: (n,) 1 if the emotion is right, else 0; NaN without a label. landmark_error: (n,).
    """

    index: NDArray[np.intp]
    accuracy: NDArray[np.float64]
    landmark_error: NDArray[np.float64]

    def select(self, index: NDArray[np.intp]) -> _Scores:
        """Return the scores of some of the images."""
        rows = np.searchsorted(self.index, index)
        return _Scores(index, self.accuracy[rows], self.landmark_error[rows])


def evaluate_robustness(engine: Engine, sets: Mapping[str, FaceSet]) -> Iterator[ConditionResult]:
    """Yield the result of each of CONDITIONS on all sets, the clean one first.

    As in the live pipeline the model runs twice: on the upright box of the landmarks, as a
    detector without roll gives it, and on the crop of the landmarks found there.

    Raises DataError for a set without landmarks, by which the distortions are placed.
    """
    images = {name: _face_images(name, faces) for name, faces in sets.items()}
    clean: dict[str, _Scores] = {}
    for condition in CONDITIONS:
        figures = {}
        for name, pairs in images.items():
            if condition.title == CLEAN:
                clean[name] = _scores(engine, sets[name], pairs, condition.distort)
            figures[name] = _figures(engine, sets[name], pairs, condition, clean[name])
        yield ConditionResult(condition.title, figures)


def _face_images(name: str, faces: FaceSet) -> list[tuple[int, d.FaceImage]]:
    """Return (index, image) of the samples with landmarks."""
    images = [
        (i, d.FaceImage(sample.image().gray(), sample.landmarks.astype(np.float64)))
        for i, sample in enumerate(faces.samples)
        if sample.landmarks is not None
    ]
    if not images:
        raise DataError(
            f"{name}: no image has landmarks, by which faces are rotated, shrunk and covered; "
            "evaluate robustness on fer2013, landmarks68 or another set with landmarks"
        )
    return images


def _figures(
    engine: Engine,
    faces: FaceSet,
    images: Sequence[tuple[int, d.FaceImage]],
    condition: Condition,
    clean: _Scores,
) -> dict[str, float]:
    if condition.heads == ALL_HEADS:
        scores = clean
        if condition.title != CLEAN:
            scores = _scores(engine, faces, images, condition.distort)
        change = _paired_change(scores, clean.select(scores.index))
    else:  # the images are unchanged: a selection of the clean scores
        low, high = condition.heads
        members = [i for i, image in images if low <= d.asymmetry(image.landmarks) < high]
        scores = clean.select(np.array(members, np.intp))
        rest = clean.select(np.setdiff1d(clean.index, scores.index))
        change = _group_change(scores, clean, rest)
    means = {name: finite_mean(getattr(scores, name)) for name in METRICS}
    return {"n": len(scores.index), **means, **change}


def _scores(
    engine: Engine,
    faces: FaceSet,
    images: Sequence[tuple[int, d.FaceImage]],
    distort: d.Distortion,
) -> _Scores:
    rng = np.random.default_rng(0)
    distorted = [(i, out) for i, image in images if (out := distort(image, rng)) is not None]
    correct, errors = [], []
    for start in range(0, len(distorted), _BATCH):
        batch = distorted[start : start + _BATCH]
        predictions = _predict(engine, [image for _, image in batch])
        for (i, image), prediction in zip(batch, predictions, strict=True):
            errors.append(landmark_error(prediction.landmarks[None], image.landmarks[None])[0])
            emotion = faces.samples[i].emotion
            right = float(prediction.probabilities.argmax() == emotion)
            correct.append(np.nan if emotion is None else right)
    index = np.array([i for i, _ in distorted], np.intp)
    return _Scores(index, np.array(correct), np.array(errors))


def _predict(engine: Engine, batch: Sequence[d.FaceImage]) -> list[FacePrediction]:
    images = [Image(image.pixels, "mono") for image in batch]
    boxes = [Detection(Box.from_landmarks(image.landmarks)) for image in batch]
    return predict_crops(engine, images, [box.crop() for box in boxes], refinements=1)


def _paired_change(scores: _Scores, clean: _Scores) -> dict[str, float]:
    """Return the changes image by image, which the difficulty of images does not widen."""
    change = {}
    for name in METRICS:
        difference = getattr(scores, name) - getattr(clean, name)
        difference = difference[np.isfinite(difference)]
        change[f"{name}_change"] = finite_mean(difference)
        change[f"{name}_change_95"] = _Z * _standard_error(difference)
    return change


def _group_change(scores: _Scores, clean: _Scores, rest: _Scores) -> dict[str, float]:
    """Return the changes of a group against all images, of which it is a part."""
    change = {}
    for name in METRICS:
        group, others = getattr(scores, name), getattr(rest, name)
        group, others = group[np.isfinite(group)], others[np.isfinite(others)]
        share = len(others) / max(len(group) + len(others), 1)
        error = share * float(np.hypot(_standard_error(group), _standard_error(others)))
        change[f"{name}_change"] = finite_mean(group) - finite_mean(getattr(clean, name))
        change[f"{name}_change_95"] = _Z * error
    return change


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std() / np.sqrt(len(values))) if len(values) else float("nan")


def as_json(results: Sequence[ConditionResult]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the figures by condition and set; null where a figure is not defined."""
    return {
        result.title: {
            name: {key: number(value) for key, value in figures.items()}
            for name, figures in result.figures.items()
        }
        for result in results
    }


def table(results: Sequence[ConditionResult], pseudo: Collection[str] = ()) -> Iterator[str]:
    """Yield a table with a row per condition: the metrics of each set and their changes.

    pseudo: sets whose landmarks a model made; their landmark error is shown only where no other
        set has one.
    """
    clean = results[0].figures
    columns = [(n, key) for n in clean for key in METRICS if np.isfinite(clean[n][key])]
    annotated = [c for c in columns if c[1] != "landmark_error" or c[0] not in pseudo]
    if any(key == "landmark_error" for _, key in annotated):
        columns = annotated
    header = [""]
    for name, key in columns:
        header += [f"{name}, {key.replace('_', ' ')}", "against clean", "n"]
    rows = []
    for result in results:
        cells = [result.title]
        for name, key in columns:
            figures = result.figures[name]
            change, interval = (100 * figures[f"{key}_change{end}"] for end in ("", "_95"))
            shown = f"{change:+.1f} ± {interval:.1f}" if np.isfinite(change) else "-"
            cells += [percent(figures[key]), "" if result.title == CLEAN else shown]
            cells.append(f"{figures['n']:.0f}")
        rows.append(cells)
    yield from markdown_table(header, rows)
    yield ""
    yield (
        "Against clean: percentage points with their 95 % interval, on the same images; for yaw, "
        "against all heads. Landmark error: mean point distance over the distance of the outer eye "
        "corners. The model runs twice, first on the upright box of the landmarks."
    )
