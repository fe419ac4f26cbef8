"""The weights of a model file by the names that they have in its network, to train on from them."""

from __future__ import annotations

from pathlib import Path

import onnx
from torch import Tensor

from edan_ros.engines.manifest import Manifest, ModelError, load_manifest
from edan_ros.engines.torch import load_network
from edan_ros.engines.torch_detector import folded_weights
from edan_ros.networks.attention import from_grouped_conv
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.training.common.errors import ConfigError


def starting_model(start: Path, task: str) -> Manifest:
    """The model that a run begins with. Raises ConfigError when there is none for this task."""
    try:
        return load_manifest(start, task)
    except ModelError as error:
        raise ConfigError(
            f"--start {start} is neither the folder of a run nor a model: {error}"
        ) from error


def recogniser_weights(manifest: Manifest) -> dict[str, Tensor]:
    """The folded weights of an EmotionalDAN, as ``restore_batchnorm`` takes them.

    Raises ModelError for a model that is none, or one in INT8.
    """
    network = load_network(manifest).network
    assert isinstance(network, EmotionalDAN)
    state = dict(network.state_dict())
    last = f"stage{network.config['stages']}"
    bias = state.pop(f"{last}.hidden_bias")
    state[f"{last}.hidden.bias"] = bias
    state[f"{last}.hidden.weight"] = from_grouped_conv(state.pop(f"{last}.shares"), len(bias))
    return state


def detector_weights(model: Path) -> dict[str, Tensor]:
    """The folded weights of a face detector's file, as ``restore_batchnorm`` takes them."""
    return folded_weights(onnx.load(model).graph)
