"""One run over several processes: what torchrun says of them, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edan_ros.training.common.errors import ConfigError

#: What /proc/cpuinfo calls the instructions for bfloat16 of x86 and of ARM.
BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}


@dataclass(frozen=True)
class World:
    """This process among all of a run: number ``rank`` of ``size``, on ``device``."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process measures, saves and speaks for all."""
        return self.rank == 0

    def spread(self, learner: nn.Module) -> nn.Module:
        """The module with its gradients averaged over the processes.

        On GPUs batch normalisation then counts the pictures of all processes. On CPUs, where torch
        has no such layer, each process counts its own, and the first one's statistics are kept.
        """
        if self.size == 1:
            return learner
        if self.device.type == "cuda":
            learner = nn.SyncBatchNorm.convert_sync_batchnorm(learner)
            return DistributedDataParallel(learner, device_ids=[self.device.index])
        return DistributedDataParallel(learner)

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all must ask."""
        if self.size == 1:
            return flag
        told = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return bool(told)

    def wait(self) -> None:
        """Returns when all processes are here."""
        if self.size > 1:
            distributed.barrier()


def choose_device(name: str) -> str:
    """The device that ``--device`` means; "auto" is cuda where there is one, otherwise cpu.

    Raises ConfigError when torch cannot use it here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: torch cannot use it here: {error}") from error
    return name


def takes_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether the convolutions run in bfloat16. precision: of TrainConfig.

    "auto" takes it on GPUs and on processors with instructions for it: others only imitate it, ten
    times as slowly as they compute in FP32.
    """
    if precision != "auto":
        return precision == "bf16"
    return device.type != "cpu" or bool(BFLOAT16.intersection(_cpu_features()))


def _cpu_features() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux
        return []


@contextmanager
def world(device: str) -> Iterator[World]:
    """The processes of this run: one, or those that torchrun started.

    device: as for :func:`choose_device`. Under torchrun every process takes the GPU of its local
    rank.
    """
    name = choose_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(torch.device(name))
        return
    if name.startswith("cuda"):
        name = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(name)
    distributed.init_process_group("nccl" if name.startswith("cuda") else "gloo")
    try:
        yield World(torch.device(name), distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
