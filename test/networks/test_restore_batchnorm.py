"""An unfolded network computes what the folded one did, also by the statistics of a batch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.networks.deployed import fold  # noqa: E402
from edan_ros.networks.emotional_dan import EmotionalDAN  # noqa: E402
from edan_ros.networks.face_detector import FaceDetector  # noqa: E402
from edan_ros.networks.restore_batchnorm import normalised_layers, restore_batchnorm  # noqa: E402


def undone(before: EmotionalDAN, crops: torch.Tensor) -> EmotionalDAN:
    torch.manual_seed(9)
    network = EmotionalDAN(**before.config)
    restore_batchnorm(network, fold(before).state_dict(), crops)
    return network


@pytest.mark.parametrize("stages", [1, 2])
def test_the_function_is_kept(stages: int) -> None:
    before = network_with_random_state(size=32, width=0.125, stages=stages)
    after = undone(before, torch.rand(16, 1, 32, 32) * 255)
    others = torch.rand(5, 1, 32, 32) * 200
    with torch.no_grad():
        wanted, given = before(others), after.eval()(others)
    torch.testing.assert_close(given.landmarks, wanted.landmarks, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(given.logits, wanted.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(given.presence, wanted.presence, atol=1e-4, rtol=1e-4)


def test_it_is_kept_in_training_for_the_batch_that_the_statistics_come_from() -> None:
    before = network_with_random_state(size=32, width=0.125, stages=1)
    crops = torch.rand(64, 1, 32, 32) * 255
    after = undone(before, crops).train()
    after.stage1.dropout.eval()
    with torch.no_grad():
        wanted, given = before(crops), after(crops)
    torch.testing.assert_close(given.logits, wanted.logits, atol=0.02, rtol=0.02)


def test_filters_keep_the_size_of_fresh_ones() -> None:
    """A normalisation takes the size of a filter out: it decides how fast the filter learns."""
    before = network_with_random_state(size=32, width=0.125, stages=1)
    before.stage1.blocks[1][0].weight.data *= 50
    torch.manual_seed(9)
    fresh = EmotionalDAN(**before.config)
    after = undone(before, torch.rand(16, 1, 32, 32) * 255)
    for network in (fresh, after):
        assert set(normalised_layers(network)) >= {"stage1.blocks.1.0", "stage1.hidden"}
    for layer in normalised_layers(fresh):
        sizes = [n.get_submodule(layer).weight.flatten(1).norm(dim=1) for n in (fresh, after)]
        torch.testing.assert_close(*sizes)


def test_what_does_not_fit_is_named() -> None:
    folded = fold(network_with_random_state(size=32, width=0.125, stages=1)).state_dict()
    with pytest.raises(
        ValueError, match=r"no stage1\.blocks\.0\.0\.weight of shape \(8, 1, 3, 3\)"
    ):
        restore_batchnorm(
            EmotionalDAN(size=32, width=0.5, stages=1), folded, torch.zeros(2, 1, 32, 32)
        )
    with pytest.raises(ValueError, match=r"no stage1\."):
        restore_batchnorm(FaceDetector(), folded, torch.zeros(2, 1, 32, 32))
