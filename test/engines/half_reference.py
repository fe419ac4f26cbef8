"""Evaluate an FP16 graph as a GPU does: each layer sums in FP32 and rounds its result to FP16.

ONNX Runtime's CPU provider has no FP16 convolutions: it runs them in FP32 and removes the casts
between them, so that nothing is rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn import functional


def _wide(values: NDArray[Any] | None) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(np.array(values, np.float32))


class Conv(OpRun):
    op_domain = ""

    def _run(self, x: Any, w: Any, b: Any = None, *, group: int, pads: list[int], **_: Any) -> Any:
        assert pads[:2] == pads[2:]
        strides = self.strides or [1, 1]
        y = functional.conv2d(_wide(x), _wide(w), _wide(b), strides, pads[:2], 1, group)
        return (y.numpy().astype(x.dtype),)


class Gemm(OpRun):
    op_domain = ""

    def _run(self, a: Any, b: Any, c: Any, *, transB: int, **_: Any) -> Any:
        assert transB == 1
        return ((_wide(a) @ _wide(b).T + _wide(c)).numpy().astype(a.dtype),)


class MatMul(OpRun):
    op_domain = ""

    def _run(self, a: Any, b: Any) -> Any:
        return ((_wide(a) @ _wide(b)).numpy().astype(a.dtype),)


class GridSample(OpRun):
    """In FP32; onnx's own implementation takes minutes."""

    op_domain = ""

    def _run(self, x: Any, grid: Any, *, padding_mode: str, **_: Any) -> Any:
        assert x.dtype == grid.dtype == np.float32
        y = functional.grid_sample(
            _wide(x), _wide(grid), padding_mode=padding_mode, align_corners=True
        )
        return (y.numpy(),)


def run(model: onnx.ModelProto, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the outputs of an FP16 graph by name."""
    evaluator = ReferenceEvaluator(model, new_ops=[Conv, Gemm, MatMul, GridSample])
    return dict(zip(evaluator.output_names, evaluator.run(None, feed), strict=True))
