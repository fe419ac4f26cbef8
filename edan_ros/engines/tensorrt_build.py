"""Build a plan with TensorRT: from a typed graph, for one GPU, with batch or sides left open.

Keeps to what TensorRT 10.3 to 11 and TensorRT-RTX have in common. A network is strongly typed:
its precisions are those that the graph names (engines/fp16_graph.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from edan_ros.engines.base import INPUT
from edan_ros.engines.cuda_driver import Gpu
from edan_ros.engines.manifest import EngineError, Manifest, ModelError
from edan_ros.engines.plan_cache import TIMING, PlanCache, PlanKey
from edan_ros.engines.tensorrt_progress import Progress, ProgressTree

#: Kind of engine -> modules that provide it; RTX's wheels come with and without a meta package.
MODULES = {
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
INSTALL = {
    "tensorrt": "it comes with JetPack (apt install python3-libnvinfer)",
    "tensorrt_rtx": "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs",
}
#: Faces in one run: the fewest, the usual number, the most.
BATCHES = (1, 2, 16)
#: Height and width of the pictures that a detector searches: the smallest, the usual, the largest.
IMAGE_SIZES = ((32, 32), (480, 640), (1280, 1280))
#: Precision of a manifest -> of the convolutions, where the graph names it as TensorRT wants it.
#: Of other models the convolutions are made FP16 (engines/fp16_graph.py).
TYPED = {"fp16": "fp16", "int8-gpu": "int8"}
#: Part of the key of a plan: change it with fp16_graph.py or the settings of the builder.
FLAGS = "strongly typed, graph 1, workspace 512 MiB"
#: Bytes that a layer may use to work in; on a Jetson they are the cameras' memory, too.
WORKSPACE = 512 << 20

#: Shapes of each input: the smallest, the usual, the largest.
Profile = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


def library(kind: str) -> Any:
    """The module of 'tensorrt' or 'tensorrt_rtx'. Raises EngineError, which says what to do."""
    reason: ImportError | None = None
    for name in MODULES[kind]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in MODULES[kind]:
                reason = error
        except ImportError as error:  # a library that it needs is missing
            reason = error
    if reason is not None:
        raise EngineError(f"{kind} is installed but cannot be loaded: {reason}")
    raise EngineError(f"{kind} is not installed: {INSTALL[kind]}")


def precision_of(manifest: Manifest) -> str:
    """Precision of the convolutions in a model's plan: as its graph says, or else FP16.

    Raises EngineError for a model that was quantised for processors.
    """
    if manifest.precision == "int8":
        raise EngineError(
            f"{manifest.name} was quantised for processors, in a way that TensorRT does not take: "
            "take the model that it was made from, which runs there in FP16, or make one with edan "
            "export MODEL --precision int8-gpu"
        )
    return TYPED.get(manifest.precision, "fp16")


def typed_graph(manifest: Manifest) -> bytes:
    """A model's graph as TensorRT is to run it. Raises EngineError where onnx is missing."""
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
    """What a model is given: a detector pictures of many sizes, all others batches of crops."""
    return image_profile() if manifest.task == "detector" else batch_profile(manifest.input_size)


def batch_profile(size: int) -> Profile:
    """The profile of a model that takes (n, 1, size, size) crops."""
    fewest, usual, most = ((n, 1, size, size) for n in BATCHES)
    return {INPUT: (fewest, usual, most)}


def image_profile() -> Profile:
    """The profile of a model that takes (1, 1, height, width) pictures."""
    smallest, usual, largest = ((1, 1, *sides) for sides in IMAGE_SIZES)
    return {INPUT: (smallest, usual, largest)}


def plan_key(manifest: Manifest, kind: str, gpu: Gpu, profile: Profile) -> PlanKey:
    """What a model's plan depends on. Name and driver of the GPU do not count for tensorrt_rtx,
    whose plans run on every GPU of the same compute capability."""
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
    """Compile a graph. Takes minutes on a Jetson, seconds with tensorrt_rtx.

    progress: told of every step, from one of TensorRT's threads.

    Raises ModelError when the graph cannot be parsed, EngineError when it cannot be built.
    """
    trt = library(key.library)
    log = _Log(trt)
    try:
        builder = trt.Builder(log.logger)
    except TypeError as error:  # how the bindings say that there is none
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
    """RTX builds for the GPU that is named, whether it is here or not."""
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
    """What earlier builds have measured: a second build then takes a fraction of the time.

    None for RTX, which measures nothing while it builds.
    """
    if key.library == "tensorrt_rtx":
        return None
    path = cache.folder / _timing_file(key)
    known = path.read_bytes() if path.is_file() else b""
    timing = config.create_timing_cache(known) or config.create_timing_cache(b"")
    config.set_timing_cache(timing, ignore_mismatch=False)
    return timing


class _Log:
    """TensorRT's messages: the last error is kept, for the message of what failed."""

    def __init__(self, trt: Any) -> None:
        self.last = "no reason was given"
        errors = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)
        keeper = self

        class Logger(trt.ILogger):  # type: ignore[misc]  # the base is known at run time only
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in errors:
                    keeper.last = message

        self.logger = Logger()


def _monitor(trt: Any, progress: Progress) -> Any:
    tree = ProgressTree(progress)

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # known at run time only
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
