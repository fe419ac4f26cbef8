"""Training of the face detector, with a checkpoint after each epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from edan_ros.networks.face_detector import FaceDetector, Residual
from edan_ros.networks.restore_batchnorm import restore_batchnorm
from edan_ros.training.common.checkpoints import Average, append_log, save_state
from edan_ros.training.common.config import build, with_base
from edan_ros.training.common.data import batches
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.common.model_weights import detector_weights, starting_model
from edan_ros.training.common.phase_run import learning_rate
from edan_ros.training.detector.data import Composer, Composition, DetectorData
from edan_ros.training.detector.loss import DetectorWeights, detector_loss
from edan_ros.training.detector.sources import Picture
from edan_ros.training.emotion.augment import Augmentation

#: The entry of a configuration that says that it trains a detector.
TASK = "detector"
#: The file of a run's folder from which it resumes and is exported.
CHECKPOINT = "detector.pt"
TERMS = ("score", "box", "points")


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that decides what a run computes; the data folder is given beside it.

    size: side of the training canvases, pixels. pictures: canvases an epoch. threshold: score of
    the trained network from which the exported one says that there is a face. terms: of use, which
    the data put on the weights. start: the configuration of the run whose weights this one begins
    with, by its file's name; empty for a run that begins with nothing. frozen: parts of the network
    that keep the weights and statistics they begin with.
    """

    name: str
    version: str
    seed: int
    batch: int
    size: int
    epochs: int
    pictures: int
    learning_rate: float
    data: dict[str, dict[str, Any]]
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
    loss: DetectorWeights = field(default_factory=DetectorWeights)


def load_detector_config(path: Path) -> DetectorConfig:
    """Read a configuration. Raises ConfigError with the entry that is wrong."""
    raw = with_base(path)
    for name, kind in (
        ("composition", Composition),
        ("camera", Augmentation),
        ("loss", DetectorWeights),
    ):
        raw[name] = build(kind, raw.get(name, {}), f"{path}: {name}")
    config: DetectorConfig = build(DetectorConfig, raw, str(path))
    if config.task != TASK:
        raise ConfigError(f"{path}: task is {config.task!r}; this trains {TASK!r}")
    return config


class DetectorTrainer:
    """Runs a configuration; resumes from the last finished epoch in ``out``.

    start: what a new run begins with: folder of another run, whose averaged weights are taken, or a
    shipped detector's name or file. The new network may have more residual blocks. Raises
    ConfigError when it holds weights of another network or none, and when it is missing though the
    configuration says that there is one.
    """

    def __init__(
        self,
        config: DetectorConfig,
        pictures: dict[str, list[Picture]],
        out: Path,
        *,
        device: str = "cpu",
        workers: int = 1,
        start: Path | None = None,
    ) -> None:
        self.config, self.out = config, out
        self.device, self.workers = torch.device(device), workers
        self.composer = Composer(pictures, config.size, config.composition)
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.network = self._first_network(start).to(self.device, memory_format=torch.channels_last)
        for name in config.frozen:
            self.network.get_submodule(name).requires_grad_(False)
        self.average = Average(self.network, config.ema)
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.network, config.weight_decay), lr=config.learning_rate
        )

    def _first_network(self, start: Path | None) -> FaceDetector:
        if self.checkpoint.is_file():
            return FaceDetector(**self.config.network)
        if start is not None and start.is_dir():
            return load_averaged(self.config, start, deeper=True)
        if start is not None:
            return self._trained(start)
        if self.config.start:
            raise ConfigError(
                f"this run goes on from one of {self.config.start}: give that run's folder "
                "with --start"
            )
        return FaceDetector(**self.config.network)

    def _trained(self, model: Path) -> FaceDetector:
        """A network with the function of a model file."""
        config = self.config
        known = detector_weights(starting_model(model, TASK).path)
        network = FaceDetector(**config.network)
        network.load_state_dict({**network.state_dict(), **_started_small(network, known)})
        data = DetectorData(self.composer, config.camera, 2 * config.batch, config.seed, 0)
        images = torch.stack([torch.from_numpy(data[i]["image"]) for i in range(len(data))])
        try:
            restore_batchnorm(network, known, images[:, None].float())
        except ValueError as error:
            raise ConfigError(
                f"{model} holds another network than {config.name}: {error}"
            ) from error
        return network

    @property
    def checkpoint(self) -> Path:
        return self.out / CHECKPOINT

    def run(self) -> FaceDetector:
        """Train all epochs and return the averaged network."""
        for epoch in range(self._resume(), self.config.epochs):
            log = self._run_epoch(epoch)
            save_state(self.checkpoint, epoch, self.network, self.average, self.optimiser)
            append_log(self.out, {"epoch": epoch, **log})
        return self.average.network

    def _resume(self) -> int:
        if not self.checkpoint.is_file():
            return 0
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = state["steps"]
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["epoch"]) + 1

    def _run_epoch(self, epoch: int) -> dict[str, float]:
        config = self.config
        data = DetectorData(self.composer, config.camera, config.pictures, config.seed, epoch)
        steps = len(data) // config.batch
        sums = dict.fromkeys(TERMS, 0.0)
        started = time.monotonic()
        self.network.train()
        for name in config.frozen:
            self.network.get_submodule(name).eval()
        bar = tqdm(
            batches(data, config.batch, workers=self.workers),
            total=steps,
            desc=f"epoch {epoch + 1}/{config.epochs}",
            mininterval=5,
        )
        for step, batch in enumerate(bar):
            rate = learning_rate(
                epoch + step / steps, config.epochs, config.learning_rate, config.warmup_epochs
            )
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            losses = self._step(batch)
            self.average.update(self.network)
            for name in sums:
                sums[name] += losses[name]
            if step % 20 == 0:
                bar.set_postfix({k: f"{v / (step + 1):.3f}" for k, v in sums.items()})
        log = {f"train_{k}": v / steps for k, v in sums.items()}
        return {**log, "seconds": time.monotonic() - started}

    def _step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        batch = {k: v.to(self.device) for k, v in batch.items()}
        found = self.network(batch["image"][:, None].float())
        losses = detector_loss(found, batch, self.config.loss)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        return {name: float(getattr(losses, name).detach()) for name in TERMS}


def load_averaged(config: DetectorConfig, run: Path, *, deeper: bool = False) -> FaceDetector:
    """The averaged network of a run's checkpoint. Raises ConfigError when there is none.

    deeper: ``config`` may have residual blocks that the checkpoint lacks; they begin small.
    """
    checkpoint = run / CHECKPOINT
    if not checkpoint.is_file():
        raise ConfigError(f"{run} holds no checkpoint: train first, with --out {run}")
    network = FaceDetector(**config.network)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    known = state["average"]
    if deeper:
        known = {**_started_small(network, known), **known}
    try:
        network.load_state_dict(known)
    except RuntimeError as error:  # what torch raises when names or shapes differ
        raise ConfigError(f"{checkpoint} holds another network than {config.name}") from error
    return network


def _started_small(network: FaceDetector, known: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of those residual blocks of a fresh network of which nothing is known."""
    state = {}
    for name, block in network.named_modules():
        if isinstance(block, Residual) and not any(key.startswith(f"{name}.") for key in known):
            block.start_small()
            state.update({f"{name}.{k}": v for k, v in block.state_dict().items()})
    return state


def _parameter_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and the parameters of normalisations do not."""
    trained = [p for p in network.parameters() if p.requires_grad]
    weights = [p for p in trained if p.ndim > 1]
    others = [p for p in trained if p.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
