"""Sharpness-aware minimisation (SAM).

P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently
Improving Generalization", ICLR 2021, algorithm 1. Every step costs two passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def perturb(module: nn.Module, radius: float, backward: Callable[[], object]) -> None:
    """Replace the gradients by those at the weights perturbed along them.

    The perturbation has length ``radius``. Weights and running statistics are restored.

    Args:
        backward: computes the loss of the same batch, with the same dropout, and its gradients.
    """
    weights = [p for p in module.parameters() if p.grad is not None]
    steps = _steps(weights, radius)
    with torch.no_grad():
        for weight, step in zip(weights, steps, strict=True):
            weight.add_(step)
            weight.grad = None
    with _fixed_statistics(module):
        backward()
    with torch.no_grad():
        for weight, step in zip(weights, steps, strict=True):
            weight.sub_(step)


def _steps(weights: list[nn.Parameter], radius: float) -> list[Tensor]:
    gradients = [w.grad for w in weights if w.grad is not None]
    norm = torch.stack([g.norm() for g in gradients]).norm()
    return [g * (radius / (norm + 1e-12)) for g in gradients]


@contextmanager
def _fixed_statistics(module: nn.Module) -> Iterator[None]:
    """Normalise by the batch without updating the running statistics."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
