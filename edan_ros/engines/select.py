"""Which engine runs a model: the one that was asked for, or the fastest that works here.

One rule for every kind of model, so that what is said of it and of its failures is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from edan_ros.engines.manifest import EngineError

#: Names of engines. ``auto`` takes TensorRT where it works, else ONNX Runtime.
ENGINES = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "torch")
#: In the order in which ``auto`` tries them on a machine with a GPU.
GPU_ENGINES = ("tensorrt", "tensorrt_rtx")


class Runs(Protocol):
    """What runs a model. why: the reason for this engine, for people."""

    selection_reason: str


T = TypeVar("T", bound=Runs)


def select_engine(kind: str, model: str, make: Callable[[str], T], log: Callable[[str], None]) -> T:
    """What ``make`` makes of the engine of that kind.

    Args:
        kind: one of :data:`ENGINES`.
        model: its name, for people.
        make: takes the name of any engine but ``auto``; raises EngineError where it cannot run.
        log: called with a line when ``auto`` had to do without a GPU that is there.

    Raises:
        EngineError: if there is no such engine, or the one asked for cannot run here.
    """
    if kind not in ENGINES:
        raise EngineError(f"there is no engine {kind!r}: choose one of {', '.join(ENGINES)}")
    if kind == "auto":
        return _automatic(model, make, log)
    made = make(kind)
    made.selection_reason = "asked for"
    return made


def _automatic(model: str, make: Callable[[str], T], log: Callable[[str], None]) -> T:
    from edan_ros.engines.cuda_driver import find_gpu

    reasons = []
    try:
        find_gpu()
    except EngineError as error:
        reasons.append(str(error))
    else:
        for kind in GPU_ENGINES:
            try:
                made = make(kind)
            except EngineError as error:
                if str(error) not in reasons:
                    reasons.append(str(error))
            else:
                made.selection_reason = "the fastest that works here"
                return made
        log(f"{model} runs on ONNX Runtime, not on TensorRT: {'; '.join(reasons)}")
    made = make("onnxruntime")
    made.selection_reason = f"no TensorRT: {'; '.join(reasons)}"
    return made


@contextlib.contextmanager
def require_torch() -> Iterator[None]:
    """Around the import of what needs torch: raises EngineError, which says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the engine torch needs the Python library {error.name}: pip install {error.name}"
        ) from error
