"""Run a face detector with torch: the weights of its ONNX file in the network of this package.

Like ``engines/torch.py`` a reference for the other engines, not for use on robots.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS
from edan_ros.engines.base import default_threads
from edan_ros.engines.manifest import EngineError, Manifest, ModelError
from edan_ros.networks.face_detector import STRIDES, FaceDetector
from edan_ros.networks.restore_batchnorm import normalised_layers, unfused_name

#: Prefix of the exporter for the names of a network's nodes.
ROOT = "network"


class TorchRunner:
    """A detector's network in torch, on the first GPU if there is one.

    Args:
        manifest: the detector's manifest; its file has been checked.
        threads: CPU threads of the whole process; 0 for a default that suits the machine.

    Attributes:
        network: the network in evaluation mode, on the device.

    Raises:
        ModelError: if the file is not an exported FaceDetector.
    """

    name = "torch"

    def __init__(self, manifest: Manifest, *, threads: int = 0) -> None:
        self.selection_reason = ""
        self._model = manifest.name
        torch.set_num_threads(threads or default_threads())
        self.device = "cuda:0" if torch.cuda.is_available() else "cpu"
        graph = onnx.load(manifest.path).graph
        try:
            self.network = _load(folded_weights(graph)).to(self.device)
            self._shift = _shift(graph)
        except (KeyError, IndexError, RuntimeError) as error:
            raise ModelError(f"torch cannot run {manifest.path}: {error!r}") from error

    @torch.inference_mode()
    def run(self, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return the outputs by name for (1, 1, H, W) grey levels, 0 to 255. Raises EngineError."""
        try:
            output = self.network(torch.from_numpy(image).to(self.device))
        except RuntimeError as error:
            raise EngineError(f"torch cannot run {self._model}: {error}") from error
        outputs = (output.logits + self._shift).sigmoid(), output.boxes, output.points
        return {
            name: value.cpu().numpy() for name, value in zip(DETECTOR_OUTPUTS, outputs, strict=True)
        }


def folded_weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """Return the weights of a detector's graph, fused with its batch normalisation.

    Keys are names of the network, as ``restore_batchnorm`` takes them.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:  # the exporter stores equal tensors once
        if node.op_type == "Identity" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    state = {}
    for node in graph.node:
        if node.op_type == "Conv":
            layer = _module(node.name)
            for kind, name in zip(("weight", "bias"), node.input[1:], strict=False):
                values = numpy_helper.to_array(tensors[name]).copy()
                state[f"{layer}.{kind}"] = torch.from_numpy(values)
    return state


def _module(node: str) -> str:
    """Return the module of a node: "a.1.0.body.2" of "/network/a.1/a.1.0/body/body.2/Conv".

    The exporter names a node by the modules that contain it, and repeats the name of a list or
    sequence before that of its child.
    """
    path: list[str] = []
    for part in node.removeprefix(f"/{ROOT}/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


def _load(folded: Mapping[str, Tensor]) -> FaceDetector:
    """Return the network with fused weights, whose normalisations only add their bias.

    Raises KeyError or RuntimeError if the weights are not those of a FaceDetector.
    """

    def blocks(prefix: str) -> int:
        return sum(name.startswith(prefix) and name.endswith("body.1.weight") for name in folded)

    stages = range(len(STRIDES) + 1)
    network = FaceDetector(
        widths=tuple(
            len(folded[name])
            for name in ("stem.0.weight", *(f"stages.{n}.0.1.weight" for n in stages))
        ),
        blocks=tuple(blocks(f"stages.{n}.") for n in stages),
        neck=len(folded["lateral.0.0.weight"]),
        refined=blocks("refined."),
    ).eval()
    norms = normalised_layers(network)
    state = {unfused_name(name, norms): value for name, value in folded.items()}
    for path, norm in network.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            identity = {f"{path}.{key}": value for key, value in norm.state_dict().items()}
            identity[f"{path}.running_var"] -= norm.eps  # added again before the division
            state = identity | state
    network.load_state_dict(state)
    return network


def _shift(graph: onnx.GraphProto) -> float:
    """Return what the export adds to each logit to adapt scores to the default threshold."""
    producers = {name: node for node in graph.node for name in node.output}
    added = producers[producers[DETECTOR_OUTPUTS[0]].input[0]]
    if added.op_type != "Add":
        return 0.0
    return float(numpy_helper.to_array(producers[added.input[1]].attribute[0].t))
