"""Measure the models on this machine's GPU and compare their results with the processor's.

Run by scripts/gpu_check.sh. Without a GPU the same measurements run on the processor.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edan_ros.core.emotions import softmax
from edan_ros.engines import EngineError, create_engine, load_manifest
from edan_ros.engines.torch import load_network

MODELS = ("edan", "edan-lite")
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ENGINES = ("torch", "onnxruntime", "tensorrt", "tensorrt_rtx")
#: Largest distance of landmarks in pixels of the crop and difference of probabilities, by
#: precision, as in test/engines/test_golden.py. TF32 convolutions round like FP16.
TOLERANCES = {"fp32": (0.1, 1e-3), "tf32": (0.5, 1e-2), "fp16": (0.5, 1e-2)}


def crops_of(size: int, count: int) -> np.ndarray:
    """Return (count, 1, size, size) smooth random grey levels, the same on every machine."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 1, 8, 8)).astype(np.float32)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse), (size, size), mode="bicubic")
    return fine.clip(0, 255).numpy()


def median_ms(call: Callable[[], object], seconds: float) -> float:
    """Return the median milliseconds of a call, of at least five after two to warm up."""
    for _ in range(2):
        call()
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.median(spent))


def eager(model: str, seconds: float, batches: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Measure the network in torch without a CUDA graph, with its crops on the device."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    manifest = load_manifest(model)
    network = load_network(manifest).to(device)
    for batch in batches:
        crops = torch.from_numpy(crops_of(manifest.input_size, batch)).to(device)

        def run(crops: torch.Tensor = crops) -> None:
            with torch.inference_mode():
                network(crops)
            if device == "cuda":
                torch.cuda.synchronize()

        yield row(model, "torch eager", device, "fp32", batch, median_ms(run, seconds))


def row(
    model: str, engine: str, device: str, precision: str, batch: int, ms: float
) -> dict[str, Any]:
    return {
        "model": model,
        "engine": engine,
        "device": device,
        "precision": precision,
        "batch": batch,
        "ms": round(ms, 4),
        "faces_per_s": round(1e3 * batch / ms, 1),
    }


def golden(model: str, engine: Any) -> dict[str, Any]:
    """Compare an engine with torch in double precision on the processor."""
    manifest = load_manifest(model)
    crops = crops_of(manifest.input_size, 8)
    network = load_network(manifest).double()
    original = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    try:
        with torch.inference_mode():
            landmarks, logits, *_ = network(torch.from_numpy(crops).double())
    finally:
        torch.Tensor.float = original  # type: ignore[method-assign]
    found = engine.infer(crops)
    pixels = float(np.linalg.norm(found.landmarks - landmarks.numpy(), axis=-1).max())
    temperature = manifest.temperature
    expected = softmax(logits.numpy(), temperature)
    difference = float(np.abs(softmax(found.logits, temperature) - expected).max())
    rounded = engine.precision == "fp32" and str(engine.device).startswith("cuda")
    precision = "tf32" if rounded else engine.precision
    limits = TOLERANCES[precision]
    return {
        "model": model,
        "engine": engine.name,
        "device": engine.device,
        "precision": precision,
        "landmarks_px": round(pixels, 5),
        "probability": round(difference, 6),
        "passed": pixels < limits[0] and difference < limits[1],
    }


def machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = (
        subprocess.run(query, capture_output=True, text=True, check=False).stdout if gpu else ""
    )
    return {
        "gpu": gpu,
        "driver": driver.strip(),
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--minutes", type=float, default=6.0, help="time limit")
    parser.add_argument("--models", nargs="+", default=MODELS, help="names of models")
    parser.add_argument("--quick", action="store_true", help="batches 1 and 4 only")
    args = parser.parse_args()
    end = time.monotonic() + 60.0 * args.minutes
    batches = (1, 4) if args.quick else BATCHES
    # Half of the time is for loading and building plans.
    seconds = 30.0 * args.minutes / (len(args.models) * (len(ENGINES) + 1) * len(batches))
    results: dict[str, Any] = {"machine": machine(), "speed": [], "golden": [], "skipped": []}
    for model in args.models:
        results["speed"] += eager(model, seconds, batches)
        for kind in ENGINES:
            if time.monotonic() > end:
                results["skipped"].append(f"{model} on {kind}: no time left")
                continue
            try:
                engine = create_engine(kind, model)
                results["golden"].append(golden(model, engine))
                for batch in batches:
                    crops = crops_of(engine.input_size, batch)
                    ms = median_ms(partial(engine.infer, crops), seconds)
                    name = "torch graph" if kind == "torch" and "cuda" in engine.device else kind
                    cells = name, engine.device, engine.precision, batch, ms
                    results["speed"].append(row(model, *cells))
            except (EngineError, ImportError) as error:
                results["skipped"].append(f"{model} on {kind}: {error}")
            args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))
    return 0 if all(each["passed"] for each in results["golden"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
