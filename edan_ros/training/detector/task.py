"""The task of training the face detector: its configuration, its learner, its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from edan_ros.detection.torch_runner import folded_weights
from edan_ros.networks.face_detector import FaceDetector, Residual
from edan_ros.networks.restore_batchnorm import restore_batchnorm
from edan_ros.training.common.checkpoints import load_weights, read_average, starting_model
from edan_ros.training.common.config import (
    ConfigError,
    Optimiser,
    Phase,
    build,
    check_run_config,
    read_config,
)
from edan_ros.training.common.distributed import World
from edan_ros.training.common.task import Learner, Task
from edan_ros.training.common.trainer import check_batch
from edan_ros.training.detector.composer import Composer, Composition, DetectorData
from edan_ros.training.detector.hard_regions import find_hard_regions
from edan_ros.training.detector.loss import DetectorLossWeights, detector_loss
from edan_ros.training.detector.sources import SourceImage
from edan_ros.training.emotion.augment import Augmentation

#: Value of ``task`` in the configuration of a detector.
TASK = "detector"
#: Data sets with enough surroundings to search for hard regions.
HARD_SETS = ("landmarks68", "ytf68", "background_images")
#: File of a run from which training resumes and the detector is exported.
CHECKPOINT = "detector.pt"


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that decides the result of a run, except the folder of the data sets.

    Attributes:
        size: side of the training canvases in pixels.
        batch: canvases per step, over all processes together.
        epoch_samples: canvases per epoch.
        ema: decay of the weight average per step.
        threshold: score of the trained network that counts as a face; the exported detector
            shifts its scores so that this becomes its default threshold.
        terms: conditions of use that the data put on the weights.
        start: file name of the configuration whose run this one starts from; empty for none.
        frozen: submodules of the network that keep their initial weights and statistics.
        camera: degradation of whole canvases.
    """

    name: str
    version: str
    size: int
    epochs: int
    epoch_samples: int
    learning_rate: float
    data: dict[str, Any]
    seed: int = 1
    batch: int = 16
    task: str = TASK
    weight_decay: float = 0.01
    warmup_epochs: float = 0.5
    ema: float = 0.998
    threshold: float = 0.5
    terms: str = ""
    start: str = ""
    frozen: tuple[str, ...] = ()
    network: dict[str, Any] = field(default_factory=dict)
    composition: Composition = field(default_factory=Composition)
    camera: Augmentation = field(default_factory=Augmentation)
    loss: DetectorLossWeights = field(default_factory=DetectorLossWeights)


def load_detector_config(path: Path) -> DetectorConfig:
    """Read a configuration. Raises ConfigError with the entry that is wrong."""
    raw = read_config(path)
    for name, kind in (
        ("composition", Composition),
        ("camera", Augmentation),
        ("loss", DetectorLossWeights),
    ):
        raw[name] = build(kind, raw.get(name, {}), f"{path}: {name}")
    config: DetectorConfig = build(DetectorConfig, raw, str(path))
    check_run_config(path, config, TASK)
    if not 0.0 < config.threshold < 1.0:
        raise ConfigError(f"{path}: threshold is {config.threshold}; it should be between 0 and 1")
    return config


def check_run(config: DetectorConfig, out: Path, start: Path | None, world: World) -> None:
    """Raise ConfigError for what is wrong with a run and can be found before reading images.

    Arguments as for :class:`DetectorTask` and the trainer.
    """
    check_batch(config.batch, 1, world)
    if config.composition.hard and start is None:
        raise ConfigError(
            "composition: hard regions are those of the run that this one starts from: name its "
            "folder with --start, also to resume"
        )
    if (out / CHECKPOINT).is_file():
        return
    if config.start and start is None:
        raise ConfigError(
            f"this run starts from a run of {config.start}: name its folder with --start"
        )
    if start is not None and start.is_dir():
        load_averaged(config, start, deeper=True)
    elif start is not None:
        starting_model(start, TASK)


class DetectorLearner(Learner):
    """The detector with its loss; ``frozen`` submodules stay in evaluation mode."""

    log_variance: None

    def __init__(
        self, network: FaceDetector, weights: DetectorLossWeights, frozen: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.network, self.weights, self.frozen = network, weights, frozen
        self.log_variance = None
        for name in frozen:
            network.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> DetectorLearner:
        super().train(mode)
        for name in self.frozen:
            self.network.get_submodule(name).eval()
        return self

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        output = self.network(batch["image"][:, None].float())
        return detector_loss(output, batch, self.weights)


class DetectorTask(Task[FaceDetector]):
    """A configuration of the detector with its images, as the trainer's task.

    Args:
        images: source images of each data set, by its name.
        start: what a new run starts from: the folder of another run, whose averaged weights are
            used, or a shipped detector's name or file. The new network may have more residual
            blocks.
    """

    clip_norm, views = 10.0, 1

    def __init__(
        self,
        config: DetectorConfig,
        images: dict[str, list[SourceImage]],
        *,
        start: Path | None = None,
    ) -> None:
        self.config, self.start = config, start
        self.composer = Composer(images, config.size, config.composition)
        if config.composition.hard:
            network = self._initial_network().eval()
            images = {
                name: find_hard_regions(network, group) if name in HARD_SETS else group
                for name, group in images.items()
            }
            self.composer = Composer(images, config.size, config.composition)
        self.seed, self.batch = config.seed, config.batch
        self.phases = (Phase(config.epochs, config.learning_rate),)
        self.step_options = Optimiser(warmup_epochs=config.warmup_epochs, ema=config.ema)

    def checkpoint_name(self, phase: int) -> str:
        del phase  # there is one
        return CHECKPOINT

    def create_learner(
        self, phase: int, previous: FaceDetector | None, device: torch.device, *, resumed: bool
    ) -> DetectorLearner:
        del phase, previous, device
        network = FaceDetector(**self.config.network) if resumed else self._initial_network()
        return DetectorLearner(network, self.config.loss, tuple(self.config.frozen))

    def create_optimiser(self, learner: Learner, phase: Phase) -> torch.optim.Optimizer:
        """Return AdamW; biases and the parameters of normalisations do not decay."""
        trained = [p for p in learner.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in trained if p.ndim > 1],
                "weight_decay": self.config.weight_decay,
            },
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=phase.learning_rate)

    def epoch_data(self, phase: int, epoch: int) -> DetectorData:
        del phase
        config = self.config
        return DetectorData(self.composer, config.camera, config.epoch_samples, config.seed, epoch)

    def _initial_network(self) -> FaceDetector:
        if self.start is None:
            return FaceDetector(**self.config.network)
        if self.start.is_dir():
            return load_averaged(self.config, self.start, deeper=True)
        return self._from_model(self.start)

    def _from_model(self, model: Path) -> FaceDetector:
        """Return a network that computes what a model file computes."""
        config = self.config
        known = folded_weights(onnx.load(starting_model(model, TASK).path).graph)
        network = FaceDetector(**config.network)
        network.load_state_dict({**network.state_dict(), **_new_blocks(network, known)})
        data = DetectorData(self.composer, config.camera, 2 * config.batch, config.seed, 0)
        images = torch.stack([torch.from_numpy(data[i]["image"]) for i in range(len(data))])
        try:
            restore_batchnorm(network, known, images[:, None].float())
        except ValueError as error:
            raise ConfigError(
                f"{model} holds another network than {config.name}: {error}"
            ) from error
        return network


def load_averaged(config: DetectorConfig, run: Path, *, deeper: bool = False) -> FaceDetector:
    """Return the averaged network of a run's checkpoint. Raises ConfigError without one.

    Args:
        deeper: ``config`` may have residual blocks that the checkpoint lacks; they start as
            nearly the identity.
    """
    known = read_average(run / CHECKPOINT)
    network = FaceDetector(**config.network)
    if deeper:
        known = {**_new_blocks(network, known), **known}
    load_weights(network, known, run / CHECKPOINT, config.name)
    return network


def _new_blocks(network: FaceDetector, known: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of the residual blocks of a new network that have no known weights."""
    state = {}
    for name, block in network.named_modules():
        if isinstance(block, Residual) and not any(key.startswith(f"{name}.") for key in known):
            block.start_small()
            state.update({f"{name}.{k}": v for k, v in block.state_dict().items()})
    return state
