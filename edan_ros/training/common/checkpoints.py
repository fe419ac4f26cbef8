"""What a run leaves on disk: checkpoints that hold everything, and a log of one line an epoch."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.registry import DEFAULT, create_network
from edan_ros.training.common.errors import ConfigError

LOG = "log.jsonl"


class Average:
    """Exponential moving average of a network's weights; its buffers are copied as they are."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for mine, theirs in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def save_state(
    path: Path,
    epoch: int,
    network: nn.Module,
    average: Average,
    optimiser: torch.optim.Optimizer,
    **more: Any,
) -> None:
    """Write a checkpoint; one that was there before is replaced whole or not at all.

    ``epoch``: the last one that is finished, -1 for none.
    """
    state: dict[str, Any] = {
        **more,
        "epoch": epoch,
        "network": network.state_dict(),
        "average": average.network.state_dict(),
        "steps": average.steps,
        "optimiser": optimiser.state_dict(),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def read_state(checkpoint: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A checkpoint as it was saved. Raises ConfigError when there is none that can be read."""
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} is not there: train first, with --out {checkpoint.parent}")
    try:
        return torch.load(checkpoint, map_location=device, weights_only=True)
    except Exception as error:  # torch raises what its archive and its unpickler raise
        raise ConfigError(f"{checkpoint} is no checkpoint of this package: {error}") from error


def load_average(checkpoint: Path) -> EmotionNetwork:
    """The averaged network of a checkpoint, for inference.

    Raises ConfigError when there is no such checkpoint.
    """
    state = read_state(checkpoint)
    network = create_network(kind=state.get("kind", DEFAULT), **state["config"])
    network.load_state_dict(state["average"])
    return network.eval()


def load_mean(runs: Sequence[Path]) -> EmotionNetwork:
    """The mean of the averaged networks that runs ended with, for inference.

    (Wortsman et al., "Model soups", 2022, section 2, the uniform one: it helps where the runs go on
    from one another.) Raises ConfigError when a run holds no checkpoint, or they are of several
    networks.
    """
    first, *others = [load_average(newest_checkpoint(run)) for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if type(other) is not type(first) or other.config != first.config:
            raise ConfigError(f"{run} is of another network than {runs[0]}: they have no mean")
    mean = AveragedModel(first, use_buffers=True)
    for network in (first, *others):
        mean.update_parameters(network)
    return mean.module.eval()


def newest_checkpoint(run: Path) -> Path:
    """The checkpoint of a run's last phase. Raises ConfigError when it holds none."""
    found = [(int(re.sub(r"\D", "", p.stem)), p) for p in run.glob("phase*.pt")]
    if not found:
        raise ConfigError(f"{run} holds no checkpoint: train first, with --out {run}")
    return max(found)[1]


def read_log(out: Path) -> list[dict[str, float]]:
    """The lines of a run's log; none where it has none yet."""
    path = out / LOG
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append_log(out: Path, log: dict[str, float]) -> None:
    """Add one line of JSON to the run's log, and say it."""
    with (out / LOG).open("a", encoding="utf-8") as f:
        f.write(json.dumps(log) + "\n")
    tqdm.write("  ".join(f"{k} {v:.4g}" for k, v in log.items()))


def forget_log_from(out: Path, phase: int, epoch: int) -> None:
    """Drop the lines of a phase from an epoch on, which will be trained again."""
    kept = [e for e in read_log(out) if e["phase"] != phase or e["epoch"] < epoch]
    if kept or (out / LOG).is_file():
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        (out / LOG).write_text(text, encoding="utf-8")
