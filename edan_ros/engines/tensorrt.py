"""Run a model on TensorRT, or on TensorRT-RTX: NVIDIA GPUs, a Jetson's among them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.engines.base import OUTPUTS, Prediction, check_crops
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
from edan_ros.engines.tensorrt_progress import Progress
from edan_ros.engines.tensorrt_run import PlanError, PlanRunner, pycuda

#: Faces in one run; more are run in parts.
LARGEST = BATCHES[-1]
#: TensorRT measures what is fastest while it builds; TensorRT-RTX compiles when it loads.
DURATION = {"tensorrt": "minutes", "tensorrt_rtx": "seconds"}


class TensorRTModel:
    """A model on TensorRT. Its plan is built where none fits, which takes minutes on a Jetson.

    Args:
        manifest: the model's manifest; its file has been checked.
        name: 'tensorrt', or 'tensorrt_rtx' for the one that comes by pip.
        outputs: that the model must have.
        log: called with one line before a plan is built, and one after.
        progress: told how far the build is, see :data:`Progress`.
        cache: where plans are kept.

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
        pycuda()  # better told now than after minutes of building
        self.device = f"cuda:0 ({gpu.name})"
        self._runner = open_plan(manifest, name, gpu, cache or PlanCache(), log, progress)
        weakref.finalize(self, self._runner.close)
        missing = set(outputs) - set(self._runner.outputs)
        if missing:
            raise ModelError(f"{manifest.path} lacks the outputs {', '.join(sorted(missing))}")

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The outputs by name. values: within the plan's profile. Raises EngineError."""
        return self._runner.run(values)


class TensorRTEngine(TensorRTModel):
    """A model of faces on TensorRT, for batches of any size. Arguments and errors as there."""

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
        parts = [self.run(crops[i : i + LARGEST]) for i in range(0, len(crops), LARGEST)]
        return Prediction(**{name: np.concatenate([p[name] for p in parts]) for name in OUTPUTS})


def open_plan(
    manifest: Manifest,
    kind: str,
    gpu: Gpu,
    cache: PlanCache,
    log: Callable[[str], None],
    progress: Progress | None,
) -> PlanRunner:
    """The model's plan from the cache, or built anew where none fits or loads."""
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
    """Build a plan and keep it. reason: why, for the line that is told before."""
    target = key.gpu or f"GPUs of compute capability {key.capability}"
    log(
        f"building {manifest.name} for {target} with {key.library} {key.version}, "
        f"which takes {DURATION[key.library]}: {reason}"
    )
    began = time.monotonic()
    plan = build_plan(typed_graph(manifest), key, profile, cache, progress)
    path = cache.store(key, plan)
    log(f"built {manifest.name} in {time.monotonic() - began:.0f} s, kept as {path}")
    return plan
