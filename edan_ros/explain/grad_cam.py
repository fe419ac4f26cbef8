"""Grad-CAM as published, with gradients averaged over locations: a baseline for the shipped maps.

It reads activations from the ONNX graph and needs the onnx library.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.engines.base import INPUT
from edan_ros.engines.manifest import Manifest, ModelError


class AveragedGradCam:
    """Grad-CAM (Selvaraju et al. 2017, section 3) at the last convolution of an exported model.

    Args:
        manifest: manifest of the model.

    Raises:
        ModelError: if the head of the model is not that of EmotionalDAN.
        ModuleNotFoundError: without the onnx library.
    """

    def __init__(self, manifest: Manifest) -> None:
        import onnx

        model = onnx.load(manifest.path)
        self._features, self._hidden, self._emotion, self._dense = _head(model, manifest)
        self._moved = any(node.op_type == "GridSample" for node in model.graph.node)
        for name in (self._features, self._hidden):
            model.graph.output.append(onnx.ValueInfoProto(name=name))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def maps(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (7, S/8, S/8) maps, at least 0, for an (S, S) grey crop, 0 to 255."""
        wanted = [self._features, self._hidden, "landmarks"]
        found = self._session.run(wanted, {INPUT: crop[None, None]})
        features, hidden, landmarks = (values[0] for values in found)
        gradient = ((hidden > 0) * self._emotion) @ self._dense
        channels, side = features.shape[:2]
        # The max-pool passes its gradient to one of four activations, so the sums are equal.
        average = gradient.reshape(len(gradient), channels, -1).sum(axis=2) / side**2
        maps = np.maximum(np.einsum("kc,cyx->kyx", average, features), 0.0).astype(np.float32)
        return self._in_crop(maps, landmarks, crop.shape[0]) if self._moved else maps

    @staticmethod
    def _in_crop(
        maps: NDArray[np.float32], landmarks: NDArray[np.float32], size: int
    ) -> NDArray[np.float32]:
        """Move maps from the frame of the last stage, aligned to the mean shape, to the crop."""
        side = maps.shape[1]
        # Pixel centres of the crop and of the map: u = (s + 0.5) * side / size - 0.5 and back.
        scale = np.array(
            [[size / side, 0, 0.5 * (size / side - 1)], [0, size / side, 0], [0, 0, 1]]
        )
        scale[1, 2] = scale[0, 2]
        to_mean = np.vstack([Crop.from_landmarks(landmarks).matrix(size), [0, 0, 1]])
        matrix = (np.linalg.inv(scale) @ to_mean @ scale)[:2]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.stack([cv2.warpAffine(m, matrix, (side, side), flags=flags) for m in maps])


def _head(
    model: Any, manifest: Manifest
) -> tuple[str, str, NDArray[np.float32], NDArray[np.float32]]:
    """Return the names of the last convolution's activations and of the hidden layer, then the
    weights of the emotion layer and of the hidden layer.
    """
    producer = {output: node for node in model.graph.node for output in node.output}

    def find(name: str, *kinds: str) -> Any:
        """Follow the first inputs back from a tensor to a node of one of the given types."""
        node = producer.get(name)
        while node is not None and node.op_type not in kinds:
            node = producer.get(node.input[0]) if node.input else None
        if node is None:
            raise ModelError(
                f"{manifest.path} has no head of EmotionalDAN: no {' or '.join(kinds)} "
                f"produces {name}"
            )
        return node

    last = find("logits", "Gemm", "MatMul")
    emotion, hidden = _weight(model, last.input[1]), str(last.input[0])
    layer = find(find(hidden, "Relu").input[0], "Gemm", "MatMul", "Conv")
    dense = _weight(model, layer.input[1])
    if layer.op_type == "Conv":  # one group per location, see networks/attention.py
        units = emotion.shape[1]
        dense = dense.reshape(-1, units, dense.shape[1]).transpose(1, 2, 0).reshape(units, -1)
        features = find(layer.input[0], "Relu").output[0]
    else:
        features = find(layer.input[0], "MaxPool").input[0]
    return str(features), hidden, emotion, dense


def _weight(model: Any, name: str) -> NDArray[np.float32]:
    """Return a layer's weight, (out, in, ...), which may be stored as FP16 behind a Cast."""
    from onnx import numpy_helper

    casts = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    return numpy_helper.to_array(stored[casts.get(name, name)]).astype(np.float32)
