"""A run over two processes on the CPU trains one network and writes one checkpoint."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from small_training import trainer, two_emotions, write  # noqa: E402

from edan_ros.training.common.checkpoints import read_state  # noqa: E402
from edan_ros.training.common.config import ConfigError  # noqa: E402
from edan_ros.training.common.data import batches  # noqa: E402
from edan_ros.training.common.distributed import World, choose_device, use_bfloat16  # noqa: E402
from edan_ros.training.common.run_log import read_log  # noqa: E402
from edan_ros.training.emotion.augment import Augmentation  # noqa: E402
from edan_ros.training.emotion.samples import EpochData  # noqa: E402

HERE = Path(__file__).parent
PHASES = [
    {"stages": 1, "epochs": 1, "learning_rate": 0.02},
    {"stages": 2, "epochs": 1, "learning_rate": 0.01},
]


def start(config: Path, folder: Path, stop_at: int) -> None:
    """Run distributed_run.py in two processes, as torchrun does, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    where = ["--master_addr=127.0.0.1", f"--master_port={port}"]
    script = [str(HERE / "distributed_run.py"), str(config), str(folder), str(stop_at)]
    paths = [str(HERE), *sys.path]
    done = subprocess.run(
        [*torchrun, *where, *script],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """A signal to one process stops both; resumed, they end with equal weights."""
    loss = {"uncertainty": True, "intermediate": 0.5}
    config = write(tmp_path, phases=PHASES, loss=loss)
    runs = {
        "recogniser": ("phase0.pt", [(1, 1), (2, 1)]),
        "detector": ("detector.pt", [(1, 1), (1, 2)]),
    }
    start(config, tmp_path, stop_at=4)
    for kind, (checkpoint, _) in runs.items():
        out = tmp_path / kind
        assert {p.name for p in out.glob("stopped*")} == {"stopped0", "stopped1"}
        assert read_state(out / checkpoint)["step"] == 4
    start(config, tmp_path, stop_at=0)
    for kind, (_, epochs) in runs.items():
        out = tmp_path / kind
        first, second = (torch.load(out / f"rank{n}.pt", weights_only=True) for n in (0, 1))
        for name, value in first.items():
            if "running" not in name and "num_batches" not in name:
                assert torch.equal(value, second[name]), name
        assert [(entry["phase"], entry["epoch"]) for entry in read_log(out)] == epochs


def test_processes_share_each_batch_without_overlap() -> None:
    """Two processes together see the batches that one would, from any step on."""
    data = EpochData(two_emotions(), 32, Augmentation(), seed=1, epoch=0)
    alone = list(batches(data, 8, workers=0, first=3))
    shares = [list(batches(data, 8, workers=0, first=3, rank=rank, world=2)) for rank in (0, 1)]
    assert len(alone) == len(data) // 8 - 3
    for whole, *parts in zip(alone, *shares, strict=True):
        assert torch.equal(whole["crop"], torch.cat([part["crop"] for part in parts]))


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    config = write(tmp_path, batch=9)
    with pytest.raises(ConfigError, match="cannot be divided among 2 processes"):
        trainer(config, two_emotions(), tmp_path, world=World(torch.device("cpu"), 0, 2))


def test_a_device_that_does_not_exist_is_named() -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="--device quantum"):
        choose_device("quantum")


@pytest.mark.parametrize(
    ("precision", "device", "features", "expected"),
    [
        ("auto", "cuda", ["avx2"], True),
        ("auto", "cpu", ["avx2", "avx512f"], False),
        ("auto", "cpu", ["avx2", "avx512_bf16"], True),
        ("auto", "cpu", ["asimd", "bf16"], True),
        ("bf16", "cpu", ["avx2"], True),
        ("fp32", "cuda", ["amx_bf16"], False),
    ],
)
def test_bfloat16_is_used_where_it_is_fast_or_requested(
    precision: str, device: str, features: list[str], expected: bool
) -> None:
    assert use_bfloat16(precision, torch.device(device), features) == expected
