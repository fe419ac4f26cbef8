"""Build a TensorRT plan for one GPU from a typed graph with a dynamic batch or image size.

Uses only what TensorRT 10.3 to 11 and TensorRT-RTX have in common. Networks are strongly typed:
their precisions are those that the graph names (engines/fp16_graph.py).
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edan_ros.engines.base import INPUT, Progress
from edan_ros.engines.cuda_driver import Gpu
from edan_ros.engines.manifest import EngineError, Manifest, ModelError
from edan_ros.engines.plan_cache import TIMING, PlanCache, PlanKey
from edan_ros.engines.select import GPU_MODULES

#: Engine -> how to install its library.
INSTALL = {
    "tensorrt": "it comes with JetPack (apt install python3-libnvinfer)",
    "tensorrt_rtx": "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs",
}
#: Faces in one run: the smallest, the usual and the largest number.
BATCHES = (1, 2, 16)
#: Height and width of the images that a detector takes: smallest, usual and largest.
IMAGE_SIZES = ((32, 32), (480, 640), (1280, 1280))
#: Precision of a manifest -> precision of the convolutions, for graphs that TensorRT takes as they
#: are. The convolutions of other models are converted to FP16 (engines/fp16_graph.py).
TYPED = {"fp16": "fp16", "int8-gpu": "int8"}
#: Part of the key of a plan: change it together with fp16_graph.py or the builder's settings.
FLAGS = "strongly typed, graph 1, workspace 512 MiB"
#: Bytes of workspace for a layer. A Jetson shares its memory with the cameras.
WORKSPACE = 512 << 20

#: Input -> its smallest, usual and largest shape.
Profile = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


def library(kind: str) -> Any:
    """Import the library of ``tensorrt`` or ``tensorrt_rtx``.

    Raises EngineError that names what to install.
    """
    reason: ImportError | None = None
    for name in GPU_MODULES[kind]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in GPU_MODULES[kind]:
                reason = error
        except ImportError as error:  # a shared library that it needs is missing
            reason = error
    if reason is not None:
        raise EngineError(f"{kind} is installed but cannot be loaded: {reason}")
    raise EngineError(f"{kind} is not installed: {INSTALL[kind]}")


def precision_of(manifest: Manifest) -> str:
    """Return the precision of the convolutions in a model's plan: the graph's, or else FP16.

    Raises EngineError for a model that was quantised for processors.
    """
    if manifest.precision == "int8":
        raise EngineError(
            f"{manifest.name} was quantised for processors, in a format that TensorRT cannot read: "
            "use the model that it was made from, which runs in FP16, or make one with edan export "
            "MODEL --precision int8-gpu"
        )
    return TYPED.get(manifest.precision, "fp16")


def typed_graph(manifest: Manifest) -> bytes:
    """Return the serialised graph that TensorRT builds. Raises EngineError without onnx."""
    if manifest.precision in TYPED:
        return manifest.path.read_bytes()
    try:
        from edan_ros.engines.fp16_graph import to_fp16_graph
    except ModuleNotFoundError as error:
        raise EngineError(
            "building for TensorRT needs the Python library onnx: pip install onnx"
        ) from error
    graph: bytes = to_fp16_graph(manifest.path).SerializeToString()
    return graph


def profile_of(manifest: Manifest) -> Profile:
    """Return the profile of a model: images of many sizes for a detector, else batches of crops."""
    return image_profile() if manifest.task == "detector" else batch_profile(manifest.input_size)


def batch_profile(size: int) -> Profile:
    """Return the profile of a model that takes (n, 1, size, size) crops."""
    fewest, usual, most = ((n, 1, size, size) for n in BATCHES)
    return {INPUT: (fewest, usual, most)}


def image_profile() -> Profile:
    """Return the profile of a model that takes (1, 1, height, width) images."""
    smallest, usual, largest = ((1, 1, *sides) for sides in IMAGE_SIZES)
    return {INPUT: (smallest, usual, largest)}


def plan_key(manifest: Manifest, kind: str, gpu: Gpu, profile: Profile) -> PlanKey:
    """Return the key of a model's plan.

    The key for tensorrt_rtx has no name and driver of the GPU: its plans run on every GPU of the
    same compute capability.
    """
    rtx = kind == "tensorrt_rtx"
    return PlanKey(
        model=manifest.name,
        onnx=manifest.sha256,
        library=kind,
        version=str(library(kind).__version__),
        capability=gpu.capability,
        gpu="" if rtx else gpu.name,
        driver="" if rtx else gpu.driver,
        precision=precision_of(manifest),
        profile="; ".join(f"{name} {shapes}" for name, shapes in sorted(profile.items())),
        flags=FLAGS,
    )


def build_plan(
    graph: bytes,
    key: PlanKey,
    profile: Profile,
    cache: PlanCache,
    progress: Progress | None = None,
) -> bytes:
    """Compile a graph, which takes minutes on a Jetson and seconds with tensorrt_rtx.

    Args:
        graph: a serialised ONNX model.
        key: key of the plan.
        profile: shapes of the inputs.
        cache: where the timing cache is stored.
        progress: called after every step, from one of TensorRT's threads.

    Raises:
        ModelError: if the graph cannot be parsed.
        EngineError: if it cannot be built.
    """
    trt = library(key.library)
    log = _Log(trt)
    try:
        builder = trt.Builder(log.logger)
    except TypeError as error:  # raised by the bindings when there is no builder
        raise EngineError(f"{key.library} cannot start: {log.last}") from error
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse(graph):
        errors = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
        raise ModelError(f"{key.library} cannot read the model {key.model}: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    config.add_optimization_profile(_profile(builder, profile))
    if progress is not None:
        config.progress_monitor = _monitor(trt, progress)
    if key.library == "tensorrt_rtx":
        _set_capability(trt, config, key.capability)
    timing = _timing_cache(config, key, cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"{key.library} cannot build the model {key.model}: {log.last}")
    if timing is not None:
        cache.write(_timing_file(key), bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _profile(builder: Any, shapes: Profile) -> Any:
    profile = builder.create_optimization_profile()
    for name, (smallest, usual, largest) in shapes.items():
        profile.set_shape(name, smallest, usual, largest)
    return profile


def _set_capability(trt: Any, config: Any, capability: str) -> None:
    """Build for a compute capability, whether or not such a GPU is present (TensorRT-RTX)."""
    wanted = "SM" + capability.replace(".", "")
    member = getattr(trt.ComputeCapability, wanted, None)
    if member is None:
        known = [n[2:] for n in dir(trt.ComputeCapability) if n.startswith("SM")]
        raise EngineError(f"tensorrt_rtx builds for {', '.join(sorted(known))}, not for {wanted}")
    config.num_compute_capabilities = 1
    config.set_compute_capability(member, 0)


def _timing_file(key: PlanKey) -> str:
    kind = f"sm{key.capability.replace('.', '')}"
    return f"{key.library}-{key.version}-{kind}{TIMING}"


def _timing_cache(config: Any, key: PlanKey, cache: PlanCache) -> Any:
    """Load the measurements of earlier builds, which shorten a second build to a fraction.

    None for TensorRT-RTX, which measures nothing while it builds.
    """
    if key.library == "tensorrt_rtx":
        return None
    path = cache.folder / _timing_file(key)
    known = path.read_bytes() if path.is_file() else b""
    timing = config.create_timing_cache(known) or config.create_timing_cache(b"")
    config.set_timing_cache(timing, ignore_mismatch=False)
    return timing


class _Log:
    """Logger for TensorRT that keeps the last error for the message of an exception."""

    def __init__(self, trt: Any) -> None:
        self.last = "TensorRT gave no reason"
        errors = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)
        log = self

        class Logger(trt.ILogger):  # type: ignore[misc]  # the base class is known at run time
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in errors:
                    log.last = message

        self.logger = Logger()


def _monitor(trt: Any, progress: Progress) -> Any:
    tree = ProgressTree(progress)

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # known at run time
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            tree.start(phase, parent, steps)

        def step_complete(self, phase: str, _step: int) -> bool:
            tree.step(phase)
            return True

        def phase_finish(self, phase: str) -> None:
            tree.finish(phase)

    return Monitor()


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class ProgressTree:
    """Computes the progress of a build from the nested phases that TensorRT reports.

    TensorRT builds in phases of steps, and a step may consist of phases itself. All steps of a
    phase count the same, and an unfinished phase counts as a fraction of its parent's next step.
    TensorRT calls from several threads.

    Args:
        progress: called with the fraction that is done, see :data:`Progress`.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._phases: dict[str, _Phase] = {}
        self._reported = 0.0
        self._lock = threading.Lock()

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """Begin a phase. parent: the phase that it is a step of; None for the whole build."""
        with self._lock:
            self._phases[phase] = _Phase(parent, max(1, steps))

    def step(self, phase: str) -> None:
        """Complete a step of a phase."""
        with self._lock:
            self._phases[phase].done += 1
            self._report(self._fraction(phase))

    def finish(self, phase: str) -> None:
        """End a phase, even if not all of its steps were needed."""
        with self._lock:
            if self._phases.pop(phase).parent is None:
                self._report(1.0)

    def _fraction(self, phase: str) -> float:
        """Return the fraction of the whole build that is done, from a phase upwards."""
        fraction, name = 0.0, phase
        while True:
            current = self._phases[name]
            fraction = min(1.0, (current.done + fraction) / current.steps)
            if current.parent is None or current.parent not in self._phases:
                return fraction
            name = current.parent

    def _report(self, fraction: float) -> None:
        if fraction > self._reported:
            self._reported = fraction
            self._progress(fraction)
