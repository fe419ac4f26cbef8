"""EmotionalDAN: size, geometry and the two stages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.core.geometry import MEAN_SHAPE, SUBSETS, similarity  # noqa: E402
from edan_ros.networks.base import normalise  # noqa: E402
from edan_ros.networks.emotional_dan import Connection, EmotionalDAN  # noqa: E402
from edan_ros.networks.similarity import Similarity, fit_similarity  # noqa: E402


def test_the_default_network_has_the_papers_number_of_parameters() -> None:
    """Two stages, 112 pixels, width 1: 23.1 million parameters."""
    network = EmotionalDAN()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(23.1e6, rel=0.01)


@pytest.mark.parametrize("options", [{"size": 100}, {"size": 0}, {"stages": 3}, {"landmarks": 5}])
def test_invalid_options_are_rejected(options: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        EmotionalDAN(**options)


@pytest.mark.parametrize(("size", "classes", "stages"), [(64, 7, 2), (48, 3, 1)])
def test_output_shapes(size: int, classes: int, stages: int) -> None:
    network = EmotionalDAN(size=size, width=0.25, classes=classes, stages=stages).eval()
    out = network(torch.rand(3, 1, size, size) * 255)
    assert out.landmarks.shape == (3, 68, 2)
    assert out.logits.shape == (3, classes)
    assert out.presence.shape == (3,)
    assert len(out.stages) == stages
    assert out.features.shape[2:] == (size // 8, size // 8)


@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.2, 5.0),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
@settings(max_examples=50, deadline=None)
def test_fit_similarity_finds_the_transform_and_its_inverse(angle, scale, shift) -> None:
    """The fit undoes a known similarity exactly, and its inverse applies it again."""
    shape = torch.tensor(MEAN_SHAPE) * 50 + 32
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    moved = torch.tensor((shape.numpy() @ rotation) * scale + shift)[None]
    transform = fit_similarity(moved, shape)
    assert torch.allclose(transform.apply(moved)[0], shape, atol=1e-6)
    assert torch.allclose(transform.inverse().apply(shape[None]), moved, atol=1e-5)


def test_fit_similarity_agrees_with_core_geometry() -> None:
    rng = np.random.default_rng(0)
    points, target = rng.normal(size=(68, 2)), rng.normal(size=(68, 2))
    fit = fit_similarity(torch.tensor(points)[None], torch.tensor(target))
    matrix, shift = similarity(points, target)
    np.testing.assert_allclose(fit.apply(torch.tensor(points)[None])[0], points @ matrix + shift)


def test_fit_similarity_of_one_point_is_finite() -> None:
    """All landmarks may coincide in a crop without a face."""
    fit = fit_similarity(torch.zeros(1, 68, 2), torch.tensor(MEAN_SHAPE, dtype=torch.float32))
    assert all(torch.isfinite(v).all() for v in fit)


def test_connection_keeps_an_image_with_canonical_landmarks_unchanged() -> None:
    network = EmotionalDAN(size=64, width=0.25)
    image = torch.rand(1, 1, 64, 64)
    stacked, aligned, transform = network.connection(
        image, network.canonical[None], torch.zeros(1, 256)
    )
    assert torch.allclose(stacked[:, :1], image, atol=1e-4)
    assert torch.allclose(aligned[0], network.canonical, atol=1e-4)
    assert isinstance(transform, Similarity)


def test_heatmap_is_one_at_a_landmark_and_falls_with_distance() -> None:
    """With all landmarks on pixel (10, 20): 1 there, 1 / (1 + 3) three pixels to the right."""
    connection = Connection(size=32, canonical=torch.zeros(68, 2))
    heat = connection.heatmap(torch.tensor([10.0, 20.0]).expand(1, 68, 2))[0, 0]
    assert heat[20, 10] == pytest.approx(1.0)
    assert heat[20, 13] == pytest.approx(0.25)


@given(gain=st.floats(0.3, 1.0), offset=st.floats(0.0, 40.0))
@settings(max_examples=20, deadline=None)
def test_normalisation_removes_gain_and_offset(gain: float, offset: float) -> None:
    crop = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 200
    assert torch.allclose(normalise(crop), normalise(crop * gain + offset), atol=0.05)


def test_normalisation_keeps_a_flat_crop_flat() -> None:
    assert normalise(torch.full((1, 1, 32, 32), 77.0)).abs().max() == 0


def test_warm_start_makes_both_stages_agree() -> None:
    """Before the first update, the second stage does not move the landmarks."""
    first = network_with_random_state(size=64, width=0.25, stages=1)
    both = EmotionalDAN(size=64, width=0.25, stages=2).eval()
    both.warm_start(first)
    crops = torch.rand(2, 1, 64, 64) * 255
    expected = first(crops).landmarks
    out = both(crops)
    assert torch.allclose(out.stages[0], expected, atol=1e-4)
    assert torch.allclose(out.landmarks, expected, atol=1e-3)


def test_warm_start_rejects_another_width() -> None:
    with pytest.raises(ValueError, match="cannot start"):
        EmotionalDAN(size=64, width=0.5).warm_start(EmotionalDAN(size=64, width=0.25, stages=1))


@pytest.mark.parametrize("count", [51, 42, 32])
def test_points_that_are_not_learned_follow_the_fitted_mean_shape(count: int) -> None:
    """Moving the learned points by a similarity moves the others with them."""
    network = EmotionalDAN(size=64, width=0.125, stages=1, landmarks=count).eval()
    shape = torch.tensor(MEAN_SHAPE, dtype=torch.float32) * network.face_px + 31.5
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    moved = shape @ turn * 0.7 + 5.0
    completed = network.complete_landmarks(moved[list(SUBSETS[count])][None])
    assert torch.allclose(completed[0], moved, atol=1e-3)
    assert network(torch.rand(2, 1, 64, 64) * 255).landmarks.shape == (2, 68, 2)
