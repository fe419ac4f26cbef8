"""Export of a model in another precision: FP16 for TensorRT, INT8 for CPUs or for TensorRT.

INT8 is static, with a QuantizeLinear and DequantizeLinear pair around each convolution and hidden
layer, weights per output channel, activations per tensor over their range on training crops. The
first convolution of each stage, the landmark steps, the feature image and the heads stay in FP32:
they are 1 % of the operations of edan-lite, and landmarks depend on their precision.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from edan_ros.engines import create_engine
from edan_ros.engines.base import INPUT
from edan_ros.engines.fp16_graph import to_fp16_graph
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of
from edan_ros.training.emotion.export import store_half
from edan_ros.training.emotion.release import measure_release
from edan_ros.training.emotion.sets import load_training_set
from edan_ros.training.emotion.validation import Validation, cut

#: Crops for the ranges of activations, half of them photographs with human annotations.
CALIBRATION = 400
#: Layers whose names contain one of these stay in FP32.
KEPT = ("blocks.0.0", "landmark_step", "feature", "emotion", "presence")
QUANTISED = ("Conv", "Gemm", "MaxPool")


def write_half(model: str, to: Path) -> Manifest:
    """Write ``<name>-fp16.onnx``, the graph that TensorRT runs, and return its manifest.

    The figures of the model are kept. Raises ModelError for a file that is not a model.
    """
    source = load_manifest(model)
    return _keep(to_fp16_graph(source.path), source, "fp16", to)


def write_int8(model: str, to: Path, data: Path, *, gpu: bool) -> Manifest:
    """Write ``<name>-int8.onnx`` for CPUs, or ``<name>-int8-gpu.onnx`` for TensorRT.

    Args:
        data: folder of the data sets. The model is calibrated on training images and measured on
            the public test with ONNX Runtime.

    Raises:
        ModelError: for a file that is not a model.
        DataError: if a data set cannot be read.
    """
    source = load_manifest(model)
    crops = calibration_crops(data, source.input_size)
    graph = quantised(source.path, crops, symmetric=gpu)
    manifest = _keep(graph, source, "int8-gpu" if gpu else "int8", to)
    validation = Validation(data, source.input_size)
    measured = measure_release(manifest.path, validation, adjusted=bool(source.class_prior))
    manifest = replace(manifest, **measured)
    manifest.save()
    return manifest


def _keep(graph: onnx.ModelProto, source: Manifest, precision: str, to: Path) -> Manifest:
    """Write a graph with the manifest of the model that it is derived from."""
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{source.name}-{precision}.onnx"
    onnx.save(graph, path)
    manifest = replace(
        source,
        path=path,
        name=path.stem,
        sha256=sha256_of(path),
        precision=precision,
        training={**source.training, "from": f"{source.name} {source.sha256}"},
    )
    manifest.save()
    return manifest


def compare(made: Manifest, source: str) -> dict[str, float]:
    """Compare a quantised model with the one that it is derived from.

    Returns:
        ``accuracy_change`` in points and ``landmark_error_change`` in percent of the error, both
        from the manifests; ``times_as_fast`` on this CPU, for one face and one thread: the least
        thread time of 50 alternating runs, which other load hardly disturbs.
    """
    before = load_manifest(source)
    was, now = before.metrics, made.metrics
    accuracy, error = "ferplus_public_accuracy", "landmarks68_tenth_error_outer_eye"
    result = {"times_as_fast": _times_as_fast(before, made)}
    if accuracy in was and accuracy in now:
        result["accuracy_change"] = 100.0 * (now[accuracy] - was[accuracy])
    if error in was and error in now:
        result["landmark_error_change"] = 100.0 * (now[error] / was[error] - 1.0)
    return result


def _times_as_fast(before: Manifest, made: Manifest) -> float:
    engines = [create_engine("onnxruntime", m.path, threads=1) for m in (before, made)]
    crop = np.random.default_rng(0).uniform(0, 255, (1, 1, before.input_size, before.input_size))
    least = [np.inf, np.inf]
    for _ in range(50):
        for i, engine in enumerate(engines):
            start = time.thread_time()
            engine.infer(crop.astype(np.float32))
            least[i] = min(least[i], time.thread_time() - start)
    return least[0] / least[1]


def calibration_crops(data: Path, size: int) -> NDArray[np.float32]:
    """Return training crops (CALIBRATION, 1, S, S) with the jitter of a detector."""
    rng = np.random.default_rng(0)
    parts = []
    for name in ("landmarks68", "fer2013"):
        training_set = load_training_set({name: {}}, data)
        chosen = rng.permutation(len(training_set))[: CALIBRATION // 2]
        parts.append(cut(training_set.subset(chosen), size, seed=5)[0])
    return np.concatenate(parts)


def quantised(path: Path, crops: NDArray[np.float32], *, symmetric: bool) -> onnx.ModelProto:
    """Return a model in INT8, calibrated on crops (n, 1, S, S).

    Args:
        symmetric: whether activations are signed around zero and biases FP32, as TensorRT
            requires. Otherwise activations are unsigned, which includes the ReLU, and biases
            INT32, as is fastest on CPUs.
    """
    wide = widened(path)
    kept = [n.name for n in wide.graph.node if any(part in n.name for part in KEPT)]
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "wide.onnx", Path(folder) / "int8.onnx"
        onnx.save(wide, before)
        logging.disable(logging.WARNING)  # it advises a preparation that export does
        try:
            quantize_static(
                before,
                after,
                _Crops(crops),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=[*QUANTISED, *(() if symmetric else ("Relu",))],
                nodes_to_exclude=kept,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "ActivationSymmetric": symmetric,
                    "CalibTensorRangeSymmetric": symmetric,
                    "WeightSymmetric": True,
                    "QuantizeBias": not symmetric,
                },
            )
        finally:
            logging.disable(logging.NOTSET)
        model = onnx.load(after)
    store_half(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def widened(path: Path) -> onnx.ModelProto:
    """Return a model with all weights in FP32, which the quantiser needs."""
    model = onnx.load(path)
    graph = model.graph
    halves = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT16}
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return model


class _Crops(CalibrationDataReader):  # type: ignore[misc]
    """Batches of crops for the calibration."""

    def __init__(self, crops: NDArray[np.float32], batch: int = 50) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            {INPUT: crops[i : i + batch]} for i in range(0, len(crops), batch)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)
