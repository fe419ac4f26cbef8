"""Select the model and the engine: the requested one, or the fastest that works here."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from edan_ros.engines import cuda_driver
from edan_ros.engines.manifest import EngineError

#: Names of engines. ``auto`` selects TensorRT where it works, ONNX Runtime elsewhere.
ENGINES = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "torch")
#: Engines that need an NVIDIA GPU, in the order in which ``auto`` tries them.
GPU_ENGINES = ("tensorrt", "tensorrt_rtx")
#: Engine -> modules that provide it. The wheels of TensorRT-RTX come with and without a
#: meta package.
GPU_MODULES = {
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}

#: Models between which ``auto`` selects.
FP32_MODEL, INT8_MODEL = "edan-lite", "edan-lite-int8"
#: Flags of /proc/cpuinfo for instructions that compute 8-bit dot products -> their name. ARM's
#: ``asimddp`` is the dot product of the SIMD unit. The first that a processor has is reported.
DOT_PRODUCT_FLAGS = {
    "amx_int8": "AMX-INT8",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "i8mm": "ARM i8mm",
    "asimddp": "ARM dotprod",
}


class Selectable(Protocol):
    """Anything that runs a model. selection_reason: why it was selected, for users."""

    selection_reason: str


T = TypeVar("T", bound=Selectable)


@dataclass(frozen=True)
class Selection:
    """A selected model. name: of a shipped model, or a path. reason: one sentence for users."""

    name: str
    reason: str


def select_model(
    requested: str = "auto",
    *,
    engine: str = "auto",
    flags: Collection[str] | None = None,
    gpu: bool | None = None,
) -> Selection:
    """Select the fastest model for this machine, unless the user requests one by name.

    ``auto`` selects :data:`FP32_MODEL` where TensorRT runs it in FP16 on a GPU,
    :data:`INT8_MODEL` on processors with 8-bit dot products, and :data:`FP32_MODEL` elsewhere.

    Args:
        requested: ``auto``, the name of a shipped model or the path of an .onnx file.
        engine: the engine that will run the model, one of :data:`ENGINES`. TensorRT and torch
            do not run the INT8 model.
        flags: processor flags; None reads those of this machine.
        gpu: whether TensorRT is usable here; None detects it.
    """
    if requested != "auto":
        return Selection(requested, f"Model {requested} was requested.")
    if engine in GPU_ENGINES or engine == "torch":
        return Selection(FP32_MODEL, f"Engine {engine} runs {FP32_MODEL}, not the INT8 model.")
    if engine == "auto" and (tensorrt_is_usable() if gpu is None else gpu):
        return Selection(FP32_MODEL, f"TensorRT runs {FP32_MODEL} in FP16 on the GPU.")
    present = cpu_flags() if flags is None else flags
    for flag, instructions in DOT_PRODUCT_FLAGS.items():
        if flag in present:
            return Selection(
                INT8_MODEL, f"The processor computes 8-bit dot products ({instructions})."
            )
    return Selection(FP32_MODEL, "The processor has no 8-bit dot products, so FP32 is faster.")


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the processor's instruction set flags, lower case; none where they are unknown.

    Every Mac with an ARM processor has ``asimddp``, and macOS has no /proc.
    """
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return frozenset({"asimddp"})
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):  # x86 and ARM
            return frozenset(value.lower().split())
    return frozenset()


def tensorrt_is_usable() -> bool:
    """Return whether a GPU, TensorRT and PyCUDA are present, without loading the libraries."""
    modules = [name for names in GPU_MODULES.values() for name in names]
    if not any(map(is_installed, modules)) or not is_installed("pycuda"):
        return False
    try:
        cuda_driver.find_gpu()
    except EngineError:
        return False
    return True


def select_engine(
    kind: str, model: str, create: Callable[[str], T], log: Callable[[str], None]
) -> T:
    """Return the engine of the requested kind, or for ``auto`` the fastest that works here.

    Args:
        kind: one of :data:`ENGINES`.
        model: name of the model, for messages.
        create: creates an engine by its name, which is never ``auto``; raises EngineError where
            that engine cannot run.
        log: called with one line when ``auto`` cannot use a GPU that is present.

    Raises:
        EngineError: if the name is unknown, or the requested engine cannot run here.
    """
    if kind not in ENGINES:
        raise EngineError(f"unknown engine {kind!r}: choose one of {', '.join(ENGINES)}")
    if kind == "auto":
        return _fastest(model, create, log)
    engine = create(kind)
    engine.selection_reason = "requested"
    return engine


def _fastest(model: str, create: Callable[[str], T], log: Callable[[str], None]) -> T:
    problems = []
    try:
        cuda_driver.find_gpu()
    except EngineError as error:
        problems.append(str(error))
    else:
        for kind in GPU_ENGINES:
            try:
                engine = create(kind)
            except EngineError as error:
                if str(error) not in problems:
                    problems.append(str(error))
            else:
                engine.selection_reason = "the fastest engine that works here"
                return engine
        log(f"{model} runs on ONNX Runtime, not on TensorRT: {'; '.join(problems)}")
    engine = create("onnxruntime")
    engine.selection_reason = f"no TensorRT: {'; '.join(problems)}"
    return engine


def is_installed(module: str) -> bool:
    """Return whether a module can be imported, without loading it."""
    return importlib.util.find_spec(module) is not None


@contextlib.contextmanager
def require_torch() -> Iterator[None]:
    """Turn a failed import of torch or onnx into an EngineError that names what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the engine torch needs the Python library {error.name}: pip install {error.name}"
        ) from error
