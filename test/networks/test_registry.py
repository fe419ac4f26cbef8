"""Every network of the registry: inputs, outputs and the properties from its paper."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need the extra train (torch)")

from random_network import need_torchvision  # noqa: E402

from edan_ros.networks.action_units import UNITS, ActionUnitNetwork  # noqa: E402
from edan_ros.networks.base import EmotionNetwork  # noqa: E402
from edan_ros.networks.cnn2 import CNN2  # noqa: E402
from edan_ros.networks.deep_emotion import DeepEmotion  # noqa: E402
from edan_ros.networks.emotionnet2 import EmotionNet2  # noqa: E402
from edan_ros.networks.inception_v3 import InceptionV3  # noqa: E402
from edan_ros.networks.registry import NETWORKS, create_network, kind_of  # noqa: E402

#: Options of the smallest network of each kind, for speed.
SMALL = {
    "emotional_dan": {"width": 0.125},
    "emotionnet2": {"layers": 18},
    "action_units": {"layers": 11},
}
NEEDS_TORCHVISION = {"inception_v3", "emotionnet2", "action_units"}


def small(kind: str, **options: object) -> EmotionNetwork:
    if kind in NEEDS_TORCHVISION:
        need_torchvision()
    return create_network(kind=kind, **{**SMALL.get(kind, {}), **options})


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_has_the_outputs_that_it_declares(kind: str) -> None:
    network = small(kind, size=48, classes=3).eval()
    with torch.inference_mode():
        out = network(torch.rand(2, 1, 48, 48) * 255)
    assert out.logits.shape == (2, 3)
    assert (out.landmarks is not None) == ("landmarks" in network.outputs)
    assert (out.presence is not None) == ("presence" in network.outputs)
    assert (out.units is not None) == ("units" in network.outputs)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_can_be_recreated_from_its_config(kind: str) -> None:
    network = small(kind, size=32)
    twin = create_network(kind=kind_of(network), **network.config)
    twin.load_state_dict(network.state_dict())
    assert twin.config == network.config


@pytest.mark.parametrize("kind", NETWORKS)
def test_gain_and_offset_of_the_camera_do_not_change_the_logits(kind: str) -> None:
    network = small(kind, size=32).eval()
    crops = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(2)) * 100
    with torch.inference_mode():
        dark, bright = network(crops).logits, network(crops * 2 + 40).logits
    assert dark.shape == (2, 7)
    assert torch.allclose(dark, bright, atol=0.05 * float(dark.abs().max()) + 1e-3)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("vgg", {}, "unknown network 'vgg': choose one of emotional_dan"),
        ("cnn2", {"width": 2}, "network cnn2"),
        ("cnn5", {"size": 16}, "at least 32 pixels"),
        ("emotionnet2", {"layers": 20}, "layers must be one of"),
        ("action_units", {"layers": 20}, "layers must be one of"),
    ],
)
def test_invalid_networks_are_rejected(kind: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_network(kind=kind, **options)


def test_deep_emotion_has_67000_parameters() -> None:
    assert sum(p.numel() for p in DeepEmotion().parameters()) == pytest.approx(67_000, rel=0.01)


def test_deep_emotion_uses_dropout_only_in_training() -> None:
    """A popular reimplementation also drops units at inference."""
    network, crops = DeepEmotion().eval(), torch.rand(2, 1, 48, 48) * 255
    assert torch.equal(network(crops).logits, network(crops).logits)
    network.train()
    assert not torch.equal(network(crops).logits, network(crops).logits)


def test_the_spatial_transformer_applies_its_matrix() -> None:
    """It starts as the identity; a mirroring matrix gives the logits of the mirrored image."""
    network, crops = DeepEmotion().eval(), torch.rand(1, 1, 48, 48) * 255
    with torch.no_grad():
        mirrored = network(crops.flip(3)).logits
        network.affine.bias.copy_(torch.tensor([-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
        assert torch.allclose(network(crops).logits, mirrored, atol=1e-4)


def test_deep_emotion_penalises_only_its_last_two_layers() -> None:
    network = DeepEmotion(l2=0.5)
    network.penalty().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached == {"hidden.weight", "emotion.weight"}
    assert torch.allclose(network.hidden.weight.grad, network.hidden.weight)


def test_cnn2_has_the_layers_of_the_paper() -> None:
    """At 32 pixels, the second max-pool gives 64 maps of 4 x 4."""
    assert CNN2(size=32).features[7].in_features == 64 * 4 * 4


def test_action_units_alone_determine_the_emotion() -> None:
    need_torchvision()
    network = ActionUnitNetwork(size=32, layers=11).eval()
    with torch.inference_mode():
        out = network(torch.rand(3, 1, 32, 32) * 255)
        again = network.emotion(network.rule(out.units.sigmoid()))
    assert out.units.shape == (3, len(UNITS))
    assert torch.allclose(out.logits, again)


@pytest.mark.parametrize("kind", sorted(NEEDS_TORCHVISION))
def test_colour_weights_treat_grey_as_three_equal_channels(kind: str) -> None:
    network = small(kind, size=96).eval()
    entry = {"emotionnet2": "conv1", "inception_v3": "Conv2d_1a_3x3.conv", "action_units": "0"}
    backbone = network.backbone
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    name = entry[kind] + ".weight"
    colour = torch.randn(state[name].shape[0], 3, *state[name].shape[2:])
    state[name] = colour
    prefix = "features." if kind == "action_units" else ""
    network.load_backbone({prefix + key: value for key, value in state.items()})
    gray = torch.rand(1, 1, 96, 96)
    conv = backbone.get_submodule(entry[kind])
    expected = torch.nn.functional.conv2d(
        gray.repeat(1, 3, 1, 1), colour, conv.bias, conv.stride, conv.padding
    )
    assert torch.allclose(conv(gray), expected, atol=1e-4)


def test_weights_of_another_backbone_are_rejected() -> None:
    need_torchvision()
    network = EmotionNet2(layers=18, size=32)
    with pytest.raises(ValueError, match="another network"):
        network.load_backbone({"conv1.weight": torch.zeros(64, 3, 7, 7)})
    with pytest.raises(ValueError, match="no backbone"):
        CNN2().load_backbone({})


def test_inception_enlarges_small_crops() -> None:
    need_torchvision()
    network = InceptionV3(size=48).eval()
    shapes = []
    network.backbone.register_forward_hook(lambda _m, inputs, _o: shapes.append(inputs[0].shape))
    network(torch.rand(1, 1, 48, 48) * 255)
    assert shapes == [(1, 1, 75, 75)]
