"""Rewrite a model's graph for mixed precision: FP16 for convolutions, FP32 for geometry.

TensorRT 11 and newer compute every layer in the types that the graph names and have no other
setting for FP16. The shipped models store FP16 weights behind casts to FP32, which suits a
processor; this module turns the same file into the graph that suits a GPU.

Needs the library onnx (extra ``tensorrt``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

#: Convolutions and dense layers, nearly all of the operations. They run in FP16.
HEAVY = frozenset({"Conv", "Gemm"})
#: A matrix product with an FP16 operand also runs in FP16; the others belong to the geometry.
PRODUCT = "MatMul"
#: Layers that only select or move numbers: they stay in FP16 behind a heavy layer.
TRANSPARENT = frozenset({"Relu", "MaxPool", "Flatten"})
SUFFIX = "_half"


class _Rewriter:
    """One pass over a graph in its topological order.

    ``_half`` and ``_full`` map each tensor to the name of its FP16 and FP32 version, if it has one.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._floats: dict[str, TensorProto] = {}
        self._half: dict[str, str] = {}
        self._full: dict[str, str] = {}
        for tensor in graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                self._floats[tensor.name] = tensor
            else:
                self.weights.append(tensor)
        halves = {t.name for t in self.weights if t.data_type == TensorProto.FLOAT16}
        for node in graph.node:
            if node.op_type == "Cast" and node.input[0] in halves:
                self._half[node.output[0]] = node.input[0]  # a weight that is stored as FP16
            else:
                self._add(node)
        for value in graph.output:
            self._as_full(value.name)

    def _add(self, node: NodeProto) -> None:
        transparent = node.op_type in TRANSPARENT and self._is_half(node.input[0])
        product = node.op_type == PRODUCT and any(self._is_half(name) for name in node.input)
        new = NodeProto()
        new.CopyFrom(node)
        del new.input[:]
        if node.op_type in HEAVY or product or transparent:
            new.input.extend([self._as_half(name) for name in node.input])
            new.output[0] += SUFFIX
            self._half[node.output[0]] = new.output[0]
        else:
            new.input.extend([self._as_full(name) for name in node.input])
            self._full.update({name: name for name in node.output})
        self.nodes.append(new)

    def _is_half(self, name: str) -> bool:
        return name in self._half and name not in self._full

    def _as_half(self, name: str) -> str:
        if name and name not in self._half:
            self._half[name] = name + SUFFIX
            if name in self._floats:
                values = numpy_helper.to_array(self._floats[name]).astype(np.float16)
                self.weights.append(numpy_helper.from_array(values, name + SUFFIX))
            else:
                self._cast(name, name + SUFFIX, TensorProto.FLOAT16)
        return self._half.get(name, name)

    def _as_full(self, name: str) -> str:
        if name not in self._full:
            self._full[name] = name
            if name in self._floats:
                self.weights.append(self._floats[name])
            elif name in self._half:
                self._cast(self._half[name], name, TensorProto.FLOAT)
        return name

    def _cast(self, source: str, target: str, to: int) -> None:
        self.nodes.append(helper.make_node("Cast", [source], [target], target, to=to))


def to_fp16_graph(path: Path) -> onnx.ModelProto:
    """Load a model with its convolutions and dense layers in FP16 and the rest in FP32.

    Inputs and outputs keep their names and types. Reductions, normalisation, similarity
    transforms, the heat-map, sampling and the sigmoid stay in FP32: their squares overflow FP16,
    and pixel coordinates need more than its three digits.
    """
    model = onnx.load(path)
    rewritten = _Rewriter(model.graph)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(rewritten.nodes)
    model.graph.initializer.extend(rewritten.weights)
    onnx.checker.check_model(model, full_check=True)
    return model
