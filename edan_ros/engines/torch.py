"""Run a model with torch: the weights of its ONNX file in the network of this package.

This engine is the reference for the other engines, with which it shares no code. It is also fast
on a large GPU, where one CUDA graph launches the whole network.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from edan_ros.engines.base import OUTPUTS, Prediction, check_crops, default_threads
from edan_ros.engines.manifest import EngineError, Manifest, ModelError
from edan_ros.networks.attention import to_grouped_conv
from edan_ros.networks.deployed import Deployed
from edan_ros.networks.emotional_dan import TRUNK_CHANNELS, EmotionalDAN

#: Prefix of the exporter for the names of the network's tensors, and suffix of
#: training/emotion/export.py for those that are stored as FP16.
PREFIX, STORED_HALF = "network.", "_fp16"
#: The last convolution of the first stage, whose channels determine the width.
LAST = "stage1.blocks.3.3.weight"
#: Runs before a CUDA graph is captured: the libraries select their kernels in the first ones.
WARM_UP = 3


class TorchEngine:
    """A model in torch, on the first GPU if there is one.

    Convolutions on a GPU use TF32 (10 bits of mantissa) where that is torch's default.

    Args:
        manifest: the verified manifest of the model.
        threads: CPU threads of the whole process; 0 selects a default that suits the machine.

    Raises:
        ModelError: if the file is not an exported EmotionalDAN in FP32 or FP16.
    """

    name = "torch"
    precision = "fp32"

    def __init__(self, manifest: Manifest, *, threads: int = 0) -> None:
        self.manifest = manifest
        self.selection_reason = ""
        torch.set_num_threads(threads or default_threads())
        self.device = "cuda:0" if torch.cuda.is_available() else "cpu"
        self._network = load_network(manifest).to(self.device)
        self._graphs: dict[int, _Graph] = {}

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    @torch.inference_mode()
    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        check_crops(crops, self.input_size)
        if not len(crops):
            return Prediction.empty(len(self.manifest.labels))
        batch = torch.from_numpy(np.ascontiguousarray(crops, np.float32))
        try:
            outputs = self._network(batch) if self.device == "cpu" else self._on_gpu(batch)
        except RuntimeError as error:
            raise EngineError(f"torch cannot run {self.manifest.name}: {error}") from error
        return Prediction(
            **{name: value.cpu().numpy() for name, value in zip(OUTPUTS, outputs, strict=True)}
        )

    def _on_gpu(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if len(crops) not in self._graphs:
            self._graphs[len(crops)] = _Graph(self._network, crops.to(self.device))
        return self._graphs[len(crops)].run(crops)


class _Graph:
    """The network as a CUDA graph for one batch size."""

    def __init__(self, network: torch.nn.Module, crops: torch.Tensor) -> None:
        self._crops = crops
        for _ in range(WARM_UP):
            network(crops)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs: tuple[torch.Tensor, ...] = network(crops)

    def run(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self._crops.copy_(crops)
        self._graph.replay()
        return self._outputs


def _upgrade_hidden_layer(state: dict[str, torch.Tensor]) -> None:
    """Convert the last hidden layer of model files up to version 0.1.1, which is a matrix."""
    last = "stage2" if any(name.startswith("stage2.") for name in state) else "stage1"
    weight = state.pop(f"{last}.hidden.weight", None)
    if weight is not None:
        state[f"{last}.shares"] = to_grouped_conv(weight, weight.shape[1] // state[LAST].shape[0])
        state[f"{last}.hidden_bias"] = state.pop(f"{last}.hidden.bias")


def load_network(manifest: Manifest) -> Deployed:
    """Build the network of an exported EmotionalDAN from the tensors of its ONNX file.

    Raises ModelError when they are not those of an EmotionalDAN in FP32 or FP16.
    """
    if manifest.quantised:
        raise ModelError(
            f"torch cannot run {manifest.name}, which is in INT8: use the engine onnxruntime or "
            "the model that it was made from"
        )
    state = {}
    for tensor in onnx.load(manifest.path).graph.initializer:
        name = tensor.name.removesuffix(STORED_HALF)
        if name.startswith(PREFIX):
            values = numpy_helper.to_array(tensor).astype(np.float32)
            state[name.removeprefix(PREFIX)] = torch.from_numpy(values)
    if LAST not in state:
        raise ModelError(f"torch cannot run {manifest.path}: it has no tensor {PREFIX}{LAST}")
    _upgrade_hidden_layer(state)
    try:
        # The last block has the most channels, so rounding does not change the width.
        channels = state[LAST].shape[0]
        network = EmotionalDAN(
            size=manifest.input_size,
            width=channels / TRUNK_CHANNELS[-1],
            classes=len(manifest.labels),
            stages=2 if any(name.startswith("stage2.") for name in state) else 1,
        )
        deployed = Deployed(network)
        deployed.network.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"torch cannot run {manifest.path}: {error}") from error
    return deployed.eval()
