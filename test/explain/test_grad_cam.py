"""Averaged Grad-CAM of an exported model agrees with captum on the torch network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")
pytest.importorskip("onnx", reason="onnx reads the activations")
attr = pytest.importorskip("captum.attr", reason="compares with captum (the train extra)")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.engines.manifest import Manifest, ModelError, load_manifest, shipped_models  # noqa: E402
from edan_ros.explain.grad_cam import AveragedGradCam  # noqa: E402
from edan_ros.networks.attention import maps_in_crop  # noqa: E402
from edan_ros.training.emotion.export import export, make_manifest  # noqa: E402


def saved(network: torch.nn.Module, folder: Path, *, half: bool = False) -> Manifest:
    path = folder / "model.onnx"
    export(network, path, half=half)
    return make_manifest(network, path, name="model", version="1")


@pytest.mark.parametrize("stages", [1, 2])
def test_averaged_maps_equal_captums(stages: int, tmp_path: Path) -> None:
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    if stages == 2:
        # The last landmarks then equal those that align the input of the second stage.
        for value in network.stage2.landmark_step.parameters():
            torch.nn.init.zeros_(value)
    crop = torch.rand(1, 1, 64, 64) * 255
    out = network(crop)
    method = attr.LayerGradCam(lambda x: network(x).logits, network.last_stage.blocks[-1])
    maps = [method.attribute(crop, target=k, relu_attributions=True) for k in range(7)]
    expected = torch.cat(maps, dim=1).detach()
    if out.frame is not None:
        expected = maps_in_crop(expected, out.frame).detach()
    found = AveragedGradCam(saved(network, tmp_path)).maps(crop[0, 0].numpy())
    assert expected.max() > 0
    scale = float(expected.max())
    # OpenCV interpolates with a resolution of 1/32 pixel.
    np.testing.assert_allclose(
        found, expected[0].numpy(), atol=(1e-5 if stages == 1 else 0.02) * scale
    )


def test_fp16_weights_change_the_averaged_maps_little(tmp_path: Path) -> None:
    network = network_with_random_state(size=64, width=0.25, stages=1)
    crop = np.random.default_rng(0).uniform(0, 255, (64, 64)).astype(np.float32)
    whole = AveragedGradCam(saved(network, tmp_path)).maps(crop)
    half = AveragedGradCam(saved(network, tmp_path, half=True)).maps(crop)
    np.testing.assert_allclose(half, whole, atol=0.05 * whole.max())


def test_a_model_with_another_head_is_rejected() -> None:
    detector = shipped_models("detector")[0]
    with pytest.raises(ModelError, match="head of EmotionalDAN"):
        AveragedGradCam(replace(load_manifest(detector, "detector"), name="x"))
