"""Fixtures of the training tests: a training set, and a finished run to copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edan_ros.training.emotion.samples import TrainingSet


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread, with which a small network is fastest."""
    torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def samples() -> TrainingSet:
    """Two emotions that a small network distinguishes."""
    from small_training import two_emotions

    return two_emotions()


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from small_training import run, two_emotions, write

    folder = tmp_path_factory.mktemp("finished")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    run(write(folder), two_emotions(), folder / "run")
    torch.set_num_threads(before)
    return folder / "run"


@pytest.fixture
def finished(_finished: Path) -> Callable[[Path], Path]:
    """A function that copies the folder of a finished run of CONFIG to a path."""

    def put(path: Path) -> Path:
        return Path(shutil.copytree(_finished, path))

    return put
