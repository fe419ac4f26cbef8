"""The face detector's network: size, cells and decoding of its outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")

from edan_ros.networks.face_detector import (  # noqa: E402
    STRIDES,
    FaceDetector,
    cells,
    decode_outputs,
)


def test_the_default_detector_has_fewer_than_150000_parameters() -> None:
    assert sum(p.numel() for p in FaceDetector().parameters()) < 150_000


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (480, 640)])
def test_every_cell_of_every_stride_has_a_prediction(height: int, width: int) -> None:
    found = FaceDetector().eval()(torch.rand(2, 1, height, width) * 255)
    count = sum((height // s) * (width // s) for s in STRIDES)
    assert found.logits.shape == (2, count)
    assert found.boxes.shape == (2, count, 4)
    assert found.points.shape == (2, count, 5, 2)


def test_an_untrained_network_predicts_no_face() -> None:
    """Otherwise the many empty cells would dominate the first training steps."""
    torch.manual_seed(0)
    found = FaceDetector().eval()(torch.rand(1, 1, 64, 64) * 255)
    assert found.logits.sigmoid().max() < 0.05


def test_cell_centres_are_in_the_middle_of_their_pixels() -> None:
    """A cell of stride 8 covers pixels 0 to 7, so its centre is 3.5."""
    grid = cells([2, 1, 1], [3, 2, 1])
    assert grid[:6].tolist() == [
        [3.5, 3.5, 8], [11.5, 3.5, 8], [19.5, 3.5, 8],
        [3.5, 11.5, 8], [11.5, 11.5, 8], [19.5, 11.5, 8],
    ]  # fmt: skip
    assert grid[6:].tolist() == [[7.5, 7.5, 16], [23.5, 7.5, 16], [15.5, 15.5, 32]]


def test_decode_matches_a_hand_computed_example() -> None:
    """Cell of stride 16 at (23.5, 7.5): centre moved by (0.5, -1) strides, sides e and 1."""
    raw = torch.zeros(1, 1, 15)
    raw[0, 0, :5] = torch.tensor([2.0, 0.5, -1.0, 1.0, 0.0])
    raw[0, 0, 5:7] = torch.tensor([1.0, 2.0])
    found = decode_outputs(raw, torch.tensor([[23.5, 7.5, 16.0]]))
    side = 16 * 2.718281828
    expected = [31.5 - side / 2, -8.5 - 8, side, 16.0]
    assert found.boxes[0, 0].tolist() == pytest.approx(expected, rel=1e-5)
    assert found.points[0, 0].tolist() == [[39.5, 39.5]] + [[23.5, 7.5]] * 4
    assert found.logits.item() == 2.0


def test_boxes_stay_finite_for_extreme_outputs() -> None:
    raw = torch.full((1, 1, 15), 1e6)
    assert decode_outputs(raw, torch.tensor([[3.5, 3.5, 8.0]])).boxes.isfinite().all()
