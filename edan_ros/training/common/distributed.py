"""One run over several processes, started by torchrun; devices and their precision."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edan_ros.training.common.config import ConfigError

#: Flags in /proc/cpuinfo of bfloat16 instructions on x86 and ARM.
BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}


@dataclass(frozen=True)
class World:
    """This process among all of a run: number ``rank`` of ``size``, on ``device``."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_main_process(self) -> bool:
        """Whether this process validates, logs and writes checkpoints."""
        return self.rank == 0

    def distribute(self, learner: nn.Module) -> nn.Module:
        """Return the module with its gradients averaged over the processes.

        On GPUs, batch normalisation uses the samples of all processes. torch has no such layer for
        CPUs: there each process uses its own samples, and the main process's statistics are kept.
        """
        if self.size == 1:
            return learner
        if self.device.type == "cuda":
            learner = nn.SyncBatchNorm.convert_sync_batchnorm(learner)  # type: ignore[no-untyped-call]
            return DistributedDataParallel(learner, device_ids=[self.device.index])
        return DistributedDataParallel(learner)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process; all processes must call this."""
        if self.size == 1:
            return flag
        flags = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags)

    def wait(self) -> None:
        """Block until all processes have called this."""
        if self.size > 1:
            distributed.barrier()


def choose_device(name: str) -> str:
    """Return the torch device for ``--device``; "auto" is cuda if available, otherwise cpu.

    Raises ConfigError when torch cannot use the device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: torch cannot use this device: {error}") from error
    return name


def use_bfloat16(
    precision: str, device: torch.device, cpu_flags: Sequence[str] | None = None
) -> bool:
    """Return whether to run convolutions in bfloat16, from a configuration's ``precision``.

    "auto" uses it on GPUs and on CPUs with instructions for it. Other CPUs emulate it, ten times
    slower than FP32. ``cpu_flags`` default to those of this machine.
    """
    if precision != "auto":
        return precision == "bf16"
    flags = _cpu_flags() if cpu_flags is None else cpu_flags
    return device.type != "cpu" or bool(BFLOAT16.intersection(flags))


def _cpu_flags() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux
        return []


@contextmanager
def world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, if it did, and leave them at the end.

    Args:
        device: as for :func:`choose_device`. Under torchrun every process uses the GPU of its
            local rank.
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
