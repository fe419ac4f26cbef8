"""Run a model on an NVIDIA GPU with TensorRT or TensorRT-RTX."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.engines.base import OUTPUTS, Prediction, Progress, check_crops
from edan_ros.engines.cuda_driver import Gpu, find_gpu
from edan_ros.engines.manifest import Manifest, ModelError
from edan_ros.engines.plan_cache import PlanCache, PlanKey
from edan_ros.engines.tensorrt_build import (
    BATCHES,
    Profile,
    build_plan,
    library,
    plan_key,
    precision_of,
    profile_of,
    typed_graph,
)
from edan_ros.engines.tensorrt_run import PlanError, PlanRunner, pycuda

#: Largest number of faces in one run; larger batches are split.
MAX_BATCH = BATCHES[-1]
#: TensorRT benchmarks its kernels while it builds; TensorRT-RTX compiles when a plan is loaded.
DURATION = {"tensorrt": "minutes", "tensorrt_rtx": "seconds"}


class TensorRTModel:
    """A model on TensorRT. Builds a plan where the cache has none, which takes minutes on a Jetson.

    Args:
        manifest: the verified manifest of the model.
        name: ``tensorrt``, or ``tensorrt_rtx`` for the library on PyPI.
        outputs: names of the outputs that the model must have.
        log: called with one line before and after a plan is built.
        progress: called while a plan is built, see :data:`Progress`.
        cache: the plan cache; None selects the default folder.

    Raises:
        EngineError: if a library or a GPU is missing, or the plan cannot be built.
        ModelError: if the model lacks an output, or TensorRT cannot read it.
    """

    def __init__(
        self,
        manifest: Manifest,
        name: str,
        outputs: Sequence[str],
        *,
        log: Callable[[str], None],
        progress: Progress | None = None,
        cache: PlanCache | None = None,
    ) -> None:
        self.manifest, self.name = manifest, name
        self.selection_reason = ""
        self.precision = precision_of(manifest)
        library(name)
        gpu = find_gpu()
        pycuda()  # fail before the build, which may take minutes
        self.device = f"cuda:0 ({gpu.name})"
        self._runner = open_plan(manifest, name, gpu, cache or PlanCache(), log, progress)
        weakref.finalize(self, self._runner.close)
        missing = set(outputs) - set(self._runner.outputs)
        if missing:
            raise ModelError(f"{manifest.path} lacks the outputs {', '.join(sorted(missing))}")

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name for an input within the plan's profile. Raises EngineError."""
        return self._runner.run(values)


class TensorRTEngine(TensorRTModel):
    """A recognition model on TensorRT, for batches of any size.

    Arguments and errors are those of :class:`TensorRTModel`.
    """

    def __init__(
        self,
        manifest: Manifest,
        name: str,
        *,
        log: Callable[[str], None],
        progress: Progress | None = None,
        cache: PlanCache | None = None,
    ) -> None:
        super().__init__(manifest, name, OUTPUTS, log=log, progress=progress, cache=cache)

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        check_crops(crops, self.input_size)
        if not len(crops):
            return Prediction.empty(len(self.manifest.labels))
        parts = [self.run(crops[i : i + MAX_BATCH]) for i in range(0, len(crops), MAX_BATCH)]
        return Prediction(**{name: np.concatenate([p[name] for p in parts]) for name in OUTPUTS})


def open_plan(
    manifest: Manifest,
    kind: str,
    gpu: Gpu,
    cache: PlanCache,
    log: Callable[[str], None],
    progress: Progress | None,
) -> PlanRunner:
    """Load a plan from the cache; build it where there is no valid one or it does not load."""
    profile = profile_of(manifest)
    key = plan_key(manifest, kind, gpu, profile)
    with cache.locked(key):
        found = cache.load(key)
        if isinstance(found, bytes):
            try:
                return PlanRunner(kind, found)
            except PlanError as error:
                found = str(error)
        plan = make_plan(manifest, key, profile, cache, log, progress, reason=found)
    return PlanRunner(kind, plan)


def make_plan(
    manifest: Manifest,
    key: PlanKey,
    profile: Profile,
    cache: PlanCache,
    log: Callable[[str], None],
    progress: Progress | None,
    *,
    reason: str,
) -> bytes:
    """Build a plan, store it in the cache and return it. reason: why it is built, for the log."""
    target = key.gpu or f"GPUs of compute capability {key.capability}"
    log(
        f"building {manifest.name} for {target} with {key.library} {key.version}, "
        f"which takes {DURATION[key.library]}: {reason}"
    )
    start = time.monotonic()
    plan = build_plan(typed_graph(manifest), key, profile, cache, progress)
    path = cache.store(key, plan)
    log(f"built {manifest.name} in {time.monotonic() - start:.0f} s: {path}")
    return plan
