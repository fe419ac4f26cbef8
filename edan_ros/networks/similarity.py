"""Similarity transforms of point sets in operators that ONNX opset 17 and TensorRT support."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Similarity(NamedTuple):
    """A batch of row-vector similarities ``x @ matrix + t``.

    Attributes:
        matrix: (B, 2, 2), each [[a, b], [-b, a]].
        t: (B, 1, 2).
    """

    matrix: Tensor
    t: Tensor

    def apply(self, points: Tensor) -> Tensor:
        """Transform (B, n, 2) points."""
        # Making t a third row of the matrix crashes the builder of TensorRT-RTX 1.7.
        return _matmul(points, self.matrix) + self.t

    def inverse(self) -> Similarity:
        """Return the inverse in closed form, which needs no matrix inversion in the graph."""
        squared = self.matrix.square().sum(dim=(1, 2), keepdim=True) * 0.5
        matrix = self.matrix.transpose(1, 2) / squared
        return Similarity(matrix, -_matmul(self.t, matrix))

    def then(self, scale: float, shift: float) -> Similarity:
        """Return this transform followed by ``x * scale + shift``."""
        return Similarity(self.matrix * scale, self.t * scale + shift)


def fit_similarity(points: Tensor, target: Tensor) -> Similarity:
    """Fit the least-squares similarity of ``points`` onto ``target`` (DAN, section 3.2).

    The scale stays above zero even if all points coincide, so that a crop without a face gives
    finite numbers.

    Args:
        points: (B, L, 2).
        target: (L, 2).
    """
    mean, target_mean = points.mean(dim=1, keepdim=True), target.mean(dim=0)
    q = target - target_mean
    rotated = torch.stack((q[:, 1], -q[:, 0]), dim=1)
    # The products with these columns are a, b, -b, a times the squared norm of the points.
    basis = torch.stack((q, rotated, -rotated, q), dim=-1).flatten(0, 1)
    p = (points - mean).flatten(1)
    norm = p.square().sum(dim=1, keepdim=True).clamp_min(1e-3)
    matrix = (_matmul(p, basis) / norm).view(-1, 2, 2)
    return Similarity(matrix, target_mean - _matmul(mean, matrix))


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    # A few small products are faster than many element-wise steps, whose call overhead dominates
    # for one face. Mixed-precision training must compute them in FP32.
    with torch.autocast(a.device.type, enabled=False):
        return a @ b
