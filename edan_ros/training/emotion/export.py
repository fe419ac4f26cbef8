"""Export of a trained network as one ONNX file with its manifest.

The graph: input ``image`` (batch, 1, S, S) float32 grey 0 to 255; outputs ``landmarks``
(batch, 68, 2) pixels of the crop, ``logits`` (batch, 7), ``presence`` (batch,) probability and
``attention`` (batch, 7, S/8, S/8). Networks without landmarks have ``logits`` alone, or with
``units`` (batch, 18) probabilities of action units; their manifest names them. Opset 17: from
opset 20 on, TensorRT's parser misreads GridSample silently (NVIDIA/TensorRT issue 4646).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edan_ros.engines.base import INPUT, OUTPUTS
from edan_ros.engines.manifest import LABELS, Manifest, sha256_of
from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.deployed import Deployed
from edan_ros.networks.emotional_dan import EmotionalDAN

OPSET = 17
#: Tensors with fewer values stay in FP32: they save little, and the geometry needs precision.
SMALLEST_HALF = 4096


class DeployedPlain(nn.Module):
    """A network other than EmotionalDAN, with its own outputs."""

    def __init__(self, network: EmotionNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        out = self.network(crops)
        probabilities = {"units": out.units.sigmoid()} if out.units is not None else {}
        return tuple(probabilities.get(name, getattr(out, name)) for name in self.network.outputs)


def export(network: EmotionNetwork, path: Path, *, half: bool = False) -> None:
    """Write the ONNX file of a network; its folder must exist.

    Outputs equal those of the network within 1e-4, unless ``half`` stores large weights as FP16;
    they are computed in FP32.
    """
    size = network.config["size"]
    axes = {name: {0: "batch"} for name in (INPUT, *network.outputs)}
    example = torch.rand(2, 1, size, size) * 255
    network = network.cpu().float()
    deployed = Deployed(network) if isinstance(network, EmotionalDAN) else DeployedPlain(network)
    trace(deployed.eval(), example, path, network.outputs, axes)
    model = onnx.load(path)
    if half:
        store_half(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def trace(
    deployed: nn.Module,
    example: Tensor,
    path: Path,
    outputs: Sequence[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Write the graph of a module; ``axes`` names the dynamic axes of each input and output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of sizes that are constants here
        torch.onnx.export(
            deployed,
            (example,),
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_axes=axes,
        )


def store_half(model: onnx.ModelProto) -> None:
    """Store large weights as FP16, each with a Cast that engines fold when loading."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= SMALLEST_HALF:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_fp16"))
            casts.append(helper.make_node("Cast", [name + "_fp16"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def flops(network: nn.Module, size: int) -> float:
    """Return the operations of the convolutions and dense layers, 2 per multiply-add.

    They are counted for one grey input of ``size`` x ``size`` pixels.
    """
    total = 0.0

    def count(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += 2.0 * output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += 2.0 * module.weight.numel()

    network = copy.deepcopy(network).eval()
    hooks = [
        m.register_forward_hook(count)
        for m in network.modules()
        if isinstance(m, (nn.Conv2d, nn.Linear))
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 1, size, size))
    for hook in hooks:
        hook.remove()
    return total


def make_manifest(network: EmotionNetwork, path: Path, **known: Any) -> Manifest:
    """Return the manifest of an exported file; ``known`` are fields that the file lacks."""
    return Manifest(
        path=path,
        sha256=sha256_of(path),
        input_size=network.config["size"],
        labels=LABELS[network.config["classes"]],
        outputs=() if network.outputs == OUTPUTS else network.outputs,
        parameters=sum(p.numel() for p in network.parameters()),
        gflop=round(flops(network, network.config["size"]) / 1e9, 3),
        **known,
    )
