"""The same training and the same test for several configurations, and what may be said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.evaluation import metrics
from edan_ros.networks.base import EmotionNetwork
from edan_ros.training.common.config import TrainConfig, crop_size
from edan_ros.training.common.data import epoch_length
from edan_ros.training.common.distributed import World
from edan_ros.training.common.trainer import Trainer
from edan_ros.training.emotion.calibration import fit_temperature
from edan_ros.training.emotion.export import flops
from edan_ros.training.emotion.losses import TO_POLARITY
from edan_ros.training.emotion.samples import Samples
from edan_ros.training.emotion.sets import class_prior, load_samples
from edan_ros.training.emotion.task import EmotionTask
from edan_ros.training.emotion.validation import Answers, Validation, predict

RESULT, ANSWERS = "result.json", "answers.npz"
#: Half a 95 % interval in standard errors.
NINETY_FIVE = 1.96


class Comparison:
    """Trains configurations one by one, each in a folder of ``out``, and measures each once.

    A run that is finished is not run again, and an interrupted one goes on where it stopped. Sets
    that several configurations share are read once. ``root``: the folder of the data sets.
    """

    def __init__(self, root: Path, out: Path, *, world: World, workers: int = 1) -> None:
        self.root, self.out, self.world, self.workers = root, out, world, workers
        self._samples: tuple[str, Samples] | None = None
        self._validation: tuple[tuple[int, str], Validation] | None = None

    def run(self, config: TrainConfig, seed: int) -> Path:
        """Train and measure a configuration with a seed; the folder that says what came out."""
        folder = self.out / f"{config.name}-seed{seed}"
        if (folder / RESULT).is_file():
            return folder
        config = replace(config, seed=seed)
        task = EmotionTask(config, self._load(config))
        network = Trainer(task, folder, world=self.world, workers=self.workers).run()
        validation = self._validate(config)
        answers = validation.ask(lambda crops: predict(network, crops), network.outputs)
        np.savez_compressed(
            folder / ANSWERS, logits=answers.emotions["logits"], majority=validation.majority
        )
        result = {"name": config.name, "seed": seed, "draws": draws_of(config, self._load(config))}
        result |= figures(answers, validation) | cost(network)
        (folder / RESULT).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        return folder

    def _load(self, config: TrainConfig) -> Samples:
        key = repr(config.data)
        if self._samples is None or self._samples[0] != key:
            self._samples = key, load_samples(config.data, self.root)
        return self._samples[1]

    def _validate(self, config: TrainConfig) -> Validation:
        key = crop_size(config), repr((config.validate, config.loss.logit_adjustment))
        if self._validation is None or self._validation[0] != key:
            self._validation = (
                key,
                Validation(
                    self.root, key[0], config.validate, class_prior=class_prior(config, self.root)
                ),
            )
        return self._validation[1]


def draws_of(config: TrainConfig, samples: Samples) -> int:
    """How many crops a run of the configuration is trained on."""
    each = epoch_length(samples, draws=config.epoch_draws, views=config.views)
    return each // config.batch * config.batch * sum(phase.epochs for phase in config.phases)


def cost(network: EmotionNetwork) -> dict[str, float]:
    """Parameters, and the operations for one crop in 1e9."""
    size = network.config["size"]
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gflop": round(flops(network.cpu(), size) / 1e9, 4),
    }


def figures(answers: Answers, validation: Validation) -> dict[str, object]:
    """What is recorded of a run: of the emotions and, where there are such, of landmarks."""
    logits = answers.emotions["logits"]
    classes = logits.shape[1]
    confusion = metrics.confusion_matrix(validation.labels(classes), logits.argmax(axis=1), classes)
    found: dict[str, object] = {
        "n": len(logits),
        "classes": classes,
        "accuracy": metrics.accuracy(confusion),
        "macro_f1": metrics.macro_f1(confusion),
        "confusion": confusion.tolist(),
    }
    if answers.points is not None:
        for name in ("stage1", "landmarks"):
            error = metrics.landmark_error(answers.points[name], validation.truth)
            found[f"error_{name}"] = float(error.mean())
    return found


@dataclass(frozen=True)
class Row:
    """What several runs of one configuration say, on the same pictures.

    right: (runs, n) whether each picture was recognised. right_3: the same for three classes, from
    the sums of the seven probabilities (:func:`summed`) or from a head of three. results: of each
    run.
    """

    name: str
    right: NDArray[np.bool_] | None
    right_3: NDArray[np.bool_]
    results: list[dict[str, float]]

    def mean(self, figure: str) -> float:
        """A figure's mean over the runs; NaN where they have none."""
        return float(np.mean([result.get(figure, np.nan) for result in self.results]))


def read_row(name: str, folders: Sequence[Path]) -> Row:
    """The finished runs of a configuration."""
    results, right, right_3 = [], [], []
    for folder in folders:
        results.append(json.loads((folder / RESULT).read_text(encoding="utf-8")))
        with np.load(folder / ANSWERS) as saved:
            logits, majority = saved["logits"], saved["majority"]
        polarity = TO_POLARITY.numpy().argmax(axis=1)[majority]
        if logits.shape[1] == len(EMOTIONS):
            right.append(logits.argmax(axis=1) == majority)
            logits = summed(logits, majority)
        right_3.append(logits.argmax(axis=1) == polarity)
    return Row(name, np.stack(right) if right else None, np.stack(right_3), results)


def summed(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n, 7) logits -> (n, 3) sums of their probabilities by neutral, positive, negative.

    Only calibrated probabilities can be summed: those of a network taught by votes are too even,
    and four small ones of negative emotions outweigh a neutral that is larger than each. So each
    half of the pictures is summed at the temperature that fits the other half.
    """
    sums = np.empty((len(logits), TO_POLARITY.shape[1]))
    halves = np.arange(len(logits)) % 2 == 0
    for half in (halves, ~halves):
        temperature = fit_temperature(logits[~half], labels[~half])
        sums[half] = softmax(logits[half], temperature) @ TO_POLARITY.numpy()
    return sums


@dataclass(frozen=True)
class SeedNoise:
    """What the seed alone does to accuracy: ``variance`` of one run, known from ``freedom`` more
    runs than configurations. Without any (0) it is not known, and no interval holds it."""

    variance: float = 0.0
    freedom: int = 0

    @property
    def width(self) -> float:
        """Half a 95 % interval in standard errors: Student's, as the variance is an estimate."""
        # SciPy takes a second to import, and nothing else here needs it.
        from scipy.stats import t

        return float(t.ppf(0.975, self.freedom)) if self.freedom else NINETY_FIVE


def seed_noise(rows: Sequence[NDArray[np.bool_] | None]) -> SeedNoise:
    """From all configurations together, (runs, n) each: two runs of one say too little, and the
    seed is taken to do the same to all."""
    accuracies = [right.mean(axis=1) for right in rows if right is not None]
    freedom = sum(len(of_runs) - 1 for of_runs in accuracies)
    if not freedom:
        return SeedNoise()
    squares = sum(float(((of_runs - of_runs.mean()) ** 2).sum()) for of_runs in accuracies)
    return SeedNoise(squares / freedom, freedom)


def interval(right: NDArray[np.bool_], noise: SeedNoise) -> tuple[float, float]:
    """Mean accuracy of (runs, n) and half of its 95 % interval, over pictures and seeds."""
    variance = _of_pictures(right.astype(np.float64)) + noise.variance / len(right)
    return float(right.mean()), noise.width * float(np.sqrt(variance))


def difference(
    right: NDArray[np.bool_], reference: NDArray[np.bool_], noise: SeedNoise
) -> tuple[float, float]:
    """How much better than ``reference`` on the same pictures, and half of its 95 % interval.

    Both (runs, n). Picture by picture, so that what is hard for both does not blur it, and over the
    seeds that both have; each run brings its own noise.
    """
    runs = min(len(right), len(reference))
    better = right[:runs].astype(np.float64) - reference[:runs]
    variance = _of_pictures(better) + 2.0 * noise.variance / runs
    return float(better.mean()), noise.width * float(np.sqrt(variance))


def _of_pictures(values: NDArray[np.float64]) -> float:
    """Variance of the mean of (runs, n) that comes of the choice of pictures."""
    return float(values.mean(axis=0).var() / values.shape[1])


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line a configuration, each compared with the first one."""
    lines = [
        "| configuration | runs | draws | parameters | GFLOP | accuracy, 7 classes | against the "
        "first | macro-F1 | accuracy, 3 classes | landmark error |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    noise, noise_3 = seed_noise([r.right for r in rows]), seed_noise([r.right_3 for r in rows])
    for row in rows:
        cells = [row.name, str(len(row.results)), f"{row.mean('draws'):,.0f}"]
        cells += [f"{row.mean('parameters') / 1e6:.2f} M", f"{row.mean('gflop'):.3f}"]
        cells += _accuracy_cells(row, rows[0], noise)
        three = (100 * v for v in interval(row.right_3, noise_3))
        cells.append("{:.1f} ± {:.1f} %".format(*three))
        cells.append(_error_cell(row))
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", _about(noise)]
    return "\n".join(lines)


def _about(noise: SeedNoise) -> str:
    if not noise.freedom:
        return (
            "± is 95 %, of the choice of pictures alone: one seed does not say what another does."
        )
    return (
        f"± is 95 %, of the choice of pictures and of the seed: its standard deviation is "
        f"{100 * noise.variance**0.5:.1f} points of accuracy, from {noise.freedom} repeated runs."
    )


def _error_cell(row: Row) -> str:
    """The landmark error, of two stages by each."""
    first, last = 100 * row.mean("error_stage1"), 100 * row.mean("error_landmarks")
    if np.isnan(last):
        return "-"
    return f"{last:.2f} %" if first == last else f"{first:.2f} to {last:.2f} %"


def _accuracy_cells(row: Row, first: Row, noise: SeedNoise) -> list[str]:
    if row.right is None:
        return ["-", "-", "-"]
    mean, half = (100 * v for v in interval(row.right, noise))
    against = "-"
    if row is not first and first.right is not None:
        better, spread = (100 * v for v in difference(row.right, first.right, noise))
        against = f"{better:+.1f} ± {spread:.1f}"
    return [f"{mean:.1f} ± {half:.1f} %", against, f"{row.mean('macro_f1'):.3f}"]
