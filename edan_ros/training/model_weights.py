"""The weights of a model file by the names that they have in its network, to train on from them."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from edan_ros.engines.manifest import Manifest, ModelError, load_manifest
from edan_ros.engines.torch import load_network
from edan_ros.networks.attention import from_places
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.training.errors import ConfigError

#: What the exporter puts before the names of a network's nodes and tensors.
ROOT = "network"


def starting_model(start: Path, task: str) -> Manifest:
    """The model that a run begins with. Raises ConfigError when there is none for this task."""
    try:
        return load_manifest(start, task)
    except ModelError as error:
        raise ConfigError(
            f"--start {start} is neither the folder of a run nor a model: {error}"
        ) from error


def recogniser_weights(manifest: Manifest) -> dict[str, Tensor]:
    """The folded weights of an EmotionalDAN, as ``unfold`` takes them.

    Raises ModelError for a model that is none, or one in INT8.
    """
    network = load_network(manifest).network
    assert isinstance(network, EmotionalDAN)
    state = dict(network.state_dict())
    last = f"stage{network.config['stages']}"
    bias = state.pop(f"{last}.hidden_bias")
    state[f"{last}.hidden.bias"] = bias
    state[f"{last}.hidden.weight"] = from_places(state.pop(f"{last}.shares"), len(bias))
    return state


def detector_weights(model: Path) -> dict[str, Tensor]:
    """The folded weights of a face detector's file, as ``unfold`` takes them."""
    graph = onnx.load(model).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:  # the exporter keeps equal tensors once
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
    """ "/network/a.1/a.1.0/body/body.2/Conv" -> "a.1.0.body.2".

    The exporter names a node by the modules that it is in. A child of a list or sequence has the
    name of its parent before its own.
    """
    path: list[str] = []
    for part in node.removeprefix(f"/{ROOT}/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)
