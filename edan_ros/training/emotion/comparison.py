"""Comparison of configurations: equal training, equal test, and confidence intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.core.wording import markdown_table, plural
from edan_ros.evaluation import metrics
from edan_ros.networks.base import EmotionNetwork
from edan_ros.training.common.distributed import World
from edan_ros.training.common.trainer import Trainer
from edan_ros.training.emotion.config import RecogniserConfig, crop_size
from edan_ros.training.emotion.export import flops
from edan_ros.training.emotion.losses import TO_POLARITY, polarity_prior
from edan_ros.training.emotion.samples import TrainingSet, epoch_length
from edan_ros.training.emotion.sets import class_prior, load_training_set
from edan_ros.training.emotion.task import EmotionTask
from edan_ros.training.emotion.validation import Predictions, Validation, fit_temperature, predict

RESULT, PREDICTIONS = "result.json", "predictions.npz"
#: What version 0.5 called the file of predictions.
OLD_PREDICTIONS = "answers.npz"
#: Half a 95 % interval in standard errors.
NINETY_FIVE = 1.96


class Comparison:
    """Trains configurations one by one, each in a folder of ``out``, and measures each once.

    Finished runs are kept, and interrupted ones resume. Data sets that consecutive configurations
    share are read once.

    Args:
        root: folder of the data sets.
    """

    def __init__(self, root: Path, out: Path, *, world: World, workers: int = 1) -> None:
        self.root, self.out, self.world, self.workers = root, out, world, workers
        self._training_set: tuple[str, TrainingSet] | None = None
        self._validation: tuple[tuple[int, str], Validation] | None = None

    def run(self, config: RecogniserConfig, seed: int) -> Path:
        """Train and measure a configuration with a seed; return the folder of the run."""
        folder = self.out / f"{config.name}-seed{seed}"
        if (folder / RESULT).is_file():
            return folder
        config = replace(config, seed=seed)
        task = EmotionTask(config, self._load(config))
        network = Trainer(task, folder, world=self.world, workers=self.workers).run()
        validation = self._validate(config)
        predictions = validation.predict(lambda crops: predict(network, crops), network.outputs)
        if validation.class_prior:
            logits = predictions.emotions["logits"]
            prior = polarity_prior(validation.class_prior, logits.shape[1])
            predictions.emotions["logits"] = logits + np.log(prior)
        np.savez_compressed(
            folder / PREDICTIONS,
            logits=predictions.emotions["logits"],
            majority=validation.emotion_labels,
        )
        result = {
            "name": config.name,
            "seed": seed,
            "samples": samples_of(config, self._load(config)),
        }
        result |= figures(predictions, validation) | cost(network)
        result |= validation.transfer_accuracy(lambda crops: predict(network, crops))
        (folder / RESULT).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        return folder

    def _load(self, config: RecogniserConfig) -> TrainingSet:
        key = repr(config.data)
        if self._training_set is None or self._training_set[0] != key:
            self._training_set = key, load_training_set(config.data, self.root)
        return self._training_set[1]

    def _validate(self, config: RecogniserConfig) -> Validation:
        key = crop_size(config), repr((config.validate, config.loss.logit_adjustment))
        if self._validation is None or self._validation[0] != key:
            self._validation = (
                key,
                Validation(
                    self.root, key[0], config.validate, class_prior=class_prior(config, self.root)
                ),
            )
        return self._validation[1]


def samples_of(config: RecogniserConfig, training_set: TrainingSet) -> int:
    """Return the number of samples that a run of the configuration is trained on."""
    each = epoch_length(training_set, samples=config.epoch_samples, views=config.views)
    return each // config.batch * config.batch * sum(phase.epochs for phase in config.phases)


def cost(network: EmotionNetwork) -> dict[str, float]:
    """Return the number of ``parameters``, and ``gflop`` (1e9 operations) for one crop."""
    size = network.config["size"]
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gflop": round(flops(network.cpu(), size) / 1e9, 4),
    }


def figures(predictions: Predictions, validation: Validation) -> dict[str, object]:
    """Return the figures of a run: of emotions and, where predicted, of landmarks."""
    logits = predictions.emotions["logits"]
    classes = logits.shape[1]
    confusion = metrics.confusion_matrix(validation.labels(classes), logits.argmax(axis=1), classes)
    found: dict[str, object] = {
        "n": len(logits),
        "classes": classes,
        "accuracy": metrics.accuracy(confusion),
        "macro_f1": metrics.macro_f1(confusion),
        "confusion": confusion.tolist(),
    }
    if predictions.landmarks is not None:
        for name in ("stage1", "landmarks"):
            error = metrics.landmark_error(predictions.landmarks[name], validation.true_landmarks)
            found[f"error_{name}"] = float(error.mean())
    return found


@dataclass(frozen=True)
class ComparedRuns:
    """The results of several runs of one configuration, on the same images.

    Attributes:
        right: (runs, n) whether each image was recognised; None for a network of three classes.
        right_3: (runs, n) the same for three classes, by :func:`summed` probabilities of seven or
            by a network of three.
        results: figures of each run.
    """

    name: str
    right: NDArray[np.bool_] | None
    right_3: NDArray[np.bool_]
    results: list[dict[str, float]]

    def mean(self, figure: str) -> float:
        """Return the mean of a figure over the runs; NaN where they lack it."""
        return float(np.mean([result.get(figure, np.nan) for result in self.results]))


def read_runs(name: str, folders: Sequence[Path]) -> ComparedRuns:
    """Read the finished runs of a configuration."""
    results, right, right_3 = [], [], []
    for folder in folders:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        results.append({"samples": result.get("draws", np.nan), **result})  # version 0.5: draws
        file = folder / PREDICTIONS
        with np.load(file if file.is_file() else folder / OLD_PREDICTIONS) as saved:
            logits, majority = saved["logits"], saved["majority"]
        polarity = TO_POLARITY.numpy().argmax(axis=1)[majority]
        if logits.shape[1] == len(EMOTIONS):
            right.append(logits.argmax(axis=1) == majority)
            logits = summed(logits, majority)
        right_3.append(logits.argmax(axis=1) == polarity)
    return ComparedRuns(name, np.stack(right) if right else None, np.stack(right_3), results)


def summed(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return (n, 3) sums of the probabilities of (n, 7) logits by neutral, positive, negative.

    Sums need calibrated probabilities: a network trained on votes is underconfident, and four
    small probabilities of negative emotions outweigh a larger one of neutral. Each half of the
    images therefore uses the temperature that fits the other half.
    """
    sums = np.empty((len(logits), TO_POLARITY.shape[1]))
    halves = np.arange(len(logits)) % 2 == 0
    for half in (halves, ~halves):
        temperature = fit_temperature(logits[~half], labels[~half])
        sums[half] = softmax(logits[half], temperature) @ TO_POLARITY.numpy()
    return sums


@dataclass(frozen=True)
class SeedNoise:
    """The effect of the seed on accuracy.

    Attributes:
        variance: of the accuracy of one run.
        freedom: degrees of freedom of its estimate, the number of runs minus configurations; with
            0 it is unknown, and intervals leave it out.
    """

    variance: float = 0.0
    freedom: int = 0

    @property
    def width(self) -> float:
        """Half a 95 % interval in standard errors, of Student's t distribution."""
        # scipy.stats takes a second to import, and nothing else here needs it.
        from scipy.stats import t

        return float(t.ppf(0.975, self.freedom)) if self.freedom else NINETY_FIVE


def seed_noise(rows: Sequence[NDArray[np.bool_] | None]) -> SeedNoise:
    """Return the pooled effect of the seed over all configurations, (runs, n) each.

    Two runs of one configuration are too few for an estimate; the effect is assumed to be equal.
    """
    accuracies = [right.mean(axis=1) for right in rows if right is not None]
    freedom = sum(len(of_runs) - 1 for of_runs in accuracies)
    if not freedom:
        return SeedNoise()
    squares = sum(float(((of_runs - of_runs.mean()) ** 2).sum()) for of_runs in accuracies)
    return SeedNoise(squares / freedom, freedom)


def interval(right: NDArray[np.bool_], noise: SeedNoise) -> tuple[float, float]:
    """Return the mean accuracy of (runs, n) and half its 95 % interval, over images and seeds."""
    variance = _image_variance(right.astype(np.float64)) + noise.variance / len(right)
    return float(right.mean()), noise.width * float(np.sqrt(variance))


def difference(
    right: NDArray[np.bool_], reference: NDArray[np.bool_], noise: SeedNoise
) -> tuple[float, float]:
    """Return the gain in accuracy over ``reference`` and half its 95 % interval.

    Both are (runs, n) on the same images. The difference is paired by image, which removes the
    variance of images that are hard for both, and taken over the seeds that both have.
    """
    runs = min(len(right), len(reference))
    better = right[:runs].astype(np.float64) - reference[:runs]
    variance = _image_variance(better) + 2.0 * noise.variance / runs
    return float(better.mean()), noise.width * float(np.sqrt(variance))


def _image_variance(values: NDArray[np.float64]) -> float:
    """Return the variance of the mean of (runs, n) due to the choice of images."""
    return float(values.mean(axis=0).var() / values.shape[1])


def table(rows: Sequence[ComparedRuns]) -> str:
    """Return a Markdown table with a row per configuration, compared with the first one."""
    header = (
        *("configuration", "runs", "samples", "parameters", "GFLOP", "accuracy, 7 classes"),
        *("against the first", "macro-F1", "accuracy, 3 classes", "landmark error"),
    )
    lines = []
    noise, noise_3 = seed_noise([r.right for r in rows]), seed_noise([r.right_3 for r in rows])
    for row in rows:
        cells = [row.name, str(len(row.results)), f"{row.mean('samples'):,.0f}"]
        cells += [f"{row.mean('parameters') / 1e6:.2f} M", f"{row.mean('gflop'):.3f}"]
        cells += _accuracy_cells(row, rows[0], noise)
        three = (100 * v for v in interval(row.right_3, noise_3))
        cells.append("{:.1f} ± {:.1f} %".format(*three))
        cells.append(_error_cell(row))
        lines.append(cells)
    return "\n".join([*markdown_table(header, lines), "", _footnote(noise)])


def _footnote(noise: SeedNoise) -> str:
    if not noise.freedom:
        return (
            "± is 95 %, over the choice of images only: with one seed per configuration, the "
            "effect of the seed is unknown."
        )
    return (
        f"± is 95 %, over the choice of images and of the seed, whose standard deviation is "
        f"{100 * noise.variance**0.5:.1f} points of accuracy, from "
        f"{plural(noise.freedom, 'repeated run')}."
    )


def _error_cell(row: ComparedRuns) -> str:
    """Return the landmark error, of two stages that of each."""
    first, last = 100 * row.mean("error_stage1"), 100 * row.mean("error_landmarks")
    if np.isnan(last):
        return "-"
    return f"{last:.2f} %" if first == last else f"{first:.2f} to {last:.2f} %"


def _accuracy_cells(row: ComparedRuns, first: ComparedRuns, noise: SeedNoise) -> list[str]:
    if row.right is None:
        return ["-", "-", "-"]
    mean, half = (100 * v for v in interval(row.right, noise))
    against = "-"
    if row is not first and first.right is not None:
        better, spread = (100 * v for v in difference(row.right, first.right, noise))
        against = f"{better:+.1f} ± {spread:.1f}"
    return [f"{mean:.1f} ± {half:.1f} %", against, f"{row.mean('macro_f1'):.3f}"]
