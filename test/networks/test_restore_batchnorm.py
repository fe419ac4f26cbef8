"""restore_batchnorm keeps the function of a folded network."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.networks.deployed import fold  # noqa: E402
from edan_ros.networks.emotional_dan import EmotionalDAN  # noqa: E402
from edan_ros.networks.face_detector import FaceDetector  # noqa: E402
from edan_ros.networks.restore_batchnorm import normalised_layers, restore_batchnorm  # noqa: E402


def restored(before: EmotionalDAN, crops: torch.Tensor) -> EmotionalDAN:
    torch.manual_seed(9)
    network = EmotionalDAN(**before.config)
    restore_batchnorm(network, fold(before).state_dict(), crops)
    return network


@pytest.mark.parametrize("stages", [1, 2])
def test_restore_batchnorm_keeps_the_function(stages: int) -> None:
    before = network_with_random_state(size=32, width=0.125, stages=stages)
    after = restored(before, torch.rand(16, 1, 32, 32) * 255)
    others = torch.rand(5, 1, 32, 32) * 200
    with torch.no_grad():
        expected, found = before(others), after.eval()(others)
    torch.testing.assert_close(found.landmarks, expected.landmarks, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.presence, expected.presence, atol=1e-4, rtol=1e-4)


def test_function_is_kept_in_training_mode_for_the_batch_of_the_statistics() -> None:
    before = network_with_random_state(size=32, width=0.125, stages=1)
    crops = torch.rand(64, 1, 32, 32) * 255
    after = restored(before, crops).train()
    after.stage1.dropout.eval()
    with torch.no_grad():
        expected, found = before(crops), after(crops)
    torch.testing.assert_close(found.logits, expected.logits, atol=0.02, rtol=0.02)


def test_filters_keep_their_initial_norm() -> None:
    """A normalisation cancels the norm of a filter, which then determines its learning speed."""
    before = network_with_random_state(size=32, width=0.125, stages=1)
    before.stage1.blocks[1][0].weight.data *= 50
    torch.manual_seed(9)
    fresh = EmotionalDAN(**before.config)
    after = restored(before, torch.rand(16, 1, 32, 32) * 255)
    for network in (fresh, after):
        assert set(normalised_layers(network)) >= {"stage1.blocks.1.0", "stage1.hidden"}
    for layer in normalised_layers(fresh):
        sizes = [n.get_submodule(layer).weight.flatten(1).norm(dim=1) for n in (fresh, after)]
        torch.testing.assert_close(*sizes)


def test_a_parameter_that_does_not_fit_is_named() -> None:
    folded = fold(network_with_random_state(size=32, width=0.125, stages=1)).state_dict()
    with pytest.raises(
        ValueError, match=r"no stage1\.blocks\.0\.0\.weight of shape \(8, 1, 3, 3\)"
    ):
        restore_batchnorm(
            EmotionalDAN(size=32, width=0.5, stages=1), folded, torch.zeros(2, 1, 32, 32)
        )
    with pytest.raises(ValueError, match=r"no stage1\."):
        restore_batchnorm(FaceDetector(), folded, torch.zeros(2, 1, 32, 32))
