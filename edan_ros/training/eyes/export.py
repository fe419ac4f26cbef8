"""Export of a trained eye network as one ONNX file with its manifest.

The graph: inputs ``image`` (n, 1, 32, 48) float32 grey 0 to 255 and ``head`` (n, 2) radians;
outputs ``openness`` (n,), ``gaze`` (n, 2) radians and ``quality`` (n, 3) logits.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import onnx
import torch

from edan_ros.core.eye_crops import EYE_SIZE
from edan_ros.engines.eye_model import EYE_INPUTS, EYE_OUTPUTS, TASK, EyeModel
from edan_ros.engines.manifest import Manifest, sha256_of
from edan_ros.evaluation.eyes import evaluate_eyes
from edan_ros.networks.eyes import EyeNetwork
from edan_ros.training.common.config import reproduce_command
from edan_ros.training.emotion.export import store_half
from edan_ros.training.eyes.task import load_averaged, load_eyes_config


def export_eyes(network: EyeNetwork, path: Path, *, half: bool = False) -> None:
    """Write the ONNX file; its folder must exist. half: store large weights as FP16."""
    example = torch.rand(2, 1, *EYE_SIZE) * 255, torch.zeros(2, 2)
    torch.onnx.export(
        copy.deepcopy(network).cpu().float().eval(),
        example,
        str(path),
        input_names=list(EYE_INPUTS),
        output_names=list(EYE_OUTPUTS),
        dynamic_axes={name: {0: "eyes"} for name in (*EYE_INPUTS, *EYE_OUTPUTS)},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    if half:
        store_half(model)
        onnx.save(model, path)
    onnx.checker.check_model(model, full_check=True)


def export_release(
    config_path: Path, run: Path, data: Path, to: Path, *, half: bool = False
) -> Manifest:
    """Export the network of a run, measure it on held-out eyes, write its manifest.

    Args:
        config_path: configuration of the run.
        run: its folder.
        data: folder of eye sets, those to evaluate on among them.
        to: folder of the model and its manifest.
        half: whether large weights are stored as FP16.

    Raises:
        ConfigError: if the configuration or the checkpoint cannot be read.
        DataError: if an eye set cannot be read.
    """
    config = load_eyes_config(config_path)
    network = load_averaged(config, run)
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export_eyes(network, path, half=half)
    manifest = Manifest(
        path=path,
        name=config.name,
        version=config.version,
        sha256=sha256_of(path),
        input_size=EYE_SIZE[0],
        task=TASK,
        labels=(),
        precision="fp16 storage" if half else "fp32",
        parameters=sum(p.numel() for p in network.parameters()),
        terms=config.terms,
        training={
            "command": reproduce_command(config_path, to, half=half),
            "data": list(config.data),
            "seed": config.seed,
        },
    )
    manifest.save()
    metrics = {
        f"{result.name}_{name}": round(value, 4)
        for result in evaluate_eyes(EyeModel(path), data)
        for name, value in result.figures.items()
    }
    manifest = replace(manifest, metrics=metrics)
    manifest.save()
    return manifest
