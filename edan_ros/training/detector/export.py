"""Export of a trained face detector as one ONNX file with its manifest.

The graph: input ``image`` (batch, 1, H, W) float32 grey 0 to 255, H and W multiples of 32;
outputs ``scores`` (batch, N) 0 to 1, ``boxes`` (batch, N, 4) x, y, width, height and ``points``
(batch, N, 5, 2) in pixels of the input, for the N cells of all strides. Overlapping boxes are
suppressed outside the graph (``detection/edan_detector.py``).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from edan_ros.datasets import archives
from edan_ros.detection.detector_model import TASK
from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS
from edan_ros.detection.factory import create_detector
from edan_ros.engines.base import INPUT
from edan_ros.engines.manifest import Manifest, sha256_of
from edan_ros.evaluation.detection import evaluate_detector
from edan_ros.evaluation.detection_scenes import photograph_scenes
from edan_ros.networks.face_detector import FaceDetector
from edan_ros.training.common.config import reproduce_command
from edan_ros.training.detector.task import load_averaged, load_detector_config
from edan_ros.training.emotion.export import flops, trace

#: Default score threshold of the detectors of this package.
USUAL_THRESHOLD = 0.6
#: A box is not counted as false where the teacher detects a face with at least this score.
DOUBTFUL = 0.3


class DeployedDetector(nn.Module):
    """The network with the outputs of the ONNX interface, in the order of DETECTOR_OUTPUTS.

    Args:
        threshold: score of the network that becomes USUAL_THRESHOLD; all logits shift equally.
    """

    def __init__(self, network: FaceDetector, threshold: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().float().eval()
        self.shift = _logit(USUAL_THRESHOLD) - _logit(threshold)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.network(image)
        return (found.logits + self.shift).sigmoid(), found.boxes, found.points


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def export_detector(network: FaceDetector, path: Path, threshold: float = USUAL_THRESHOLD) -> None:
    """Write the ONNX file; its folder must exist."""
    example = torch.rand(1, 1, 96, 128) * 255
    axes = {
        INPUT: {0: "batch", 2: "height", 3: "width"},
        **{name: {0: "batch", 1: "cells"} for name in DETECTOR_OUTPUTS},
    }
    trace(DeployedDetector(network, threshold).eval(), example, path, DETECTOR_OUTPUTS, axes)
    onnx.checker.check_model(onnx.load(path), full_check=True)


def export_release(config_path: Path, run: Path, data: Path, to: Path) -> Manifest:
    """Export the network of a run, measure it on held-out photographs, write its manifest.

    Raises:
        ConfigError: if the configuration or the checkpoint cannot be read.
        DataError: if the photographs cannot be read.
    """
    config = load_detector_config(config_path)
    network = load_averaged(config, run).eval()
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export_detector(network, path, config.threshold)
    training: dict[str, Any] = {
        "command": reproduce_command(config_path, to),
        "data": list(config.data),
        "seed": config.seed,
    }
    manifest = Manifest(
        path=path,
        name=config.name,
        version=config.version,
        sha256=sha256_of(path),
        input_size=config.size,
        task=TASK,
        labels=(),
        parameters=sum(p.numel() for p in network.parameters()),
        gflop=round(flops(network, config.size) / 1e9, 3),
        terms=config.terms,
        training=training,
    )
    manifest.save()
    metrics = measure_detector(path, data / "landmarks68", data / config.data["teacher"]["model"])
    manifest = replace(manifest, metrics=metrics)
    manifest.save()
    return manifest


def measure_detector(model: Path, photographs: Path, teacher: Path) -> dict[str, float]:
    """Return recall, false boxes per image and overlap on the held-out photographs."""
    reference = create_detector("yunet", model_path=str(teacher), score_threshold=DOUBTFUL)
    pairs = archives.photographs(photographs, held_out=True)
    figures = evaluate_detector(
        create_detector("edan", model_path=str(model)), photograph_scenes(pairs, reference)
    )
    return {
        "landmarks68_tenth_recall": round(figures.recall, 4),
        "landmarks68_tenth_false_boxes": round(figures.false_positives, 4),
        "landmarks68_tenth_overlap": round(figures.iou, 4),
    }
