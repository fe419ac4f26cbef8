"""Write a model's precision into its graph: FP16 where the work is, FP32 where geometry is.

TensorRT from version 11 on computes every layer in the types that the graph names and knows no
other way to ask for FP16. The models ship with FP16 weights behind casts to FP32, which is what a
processor wants; here the same file becomes the graph that a GPU wants.

Needs the library onnx, of the extra ``tensorrt``. Nothing else at run time does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

#: Convolutions and dense layers: nearly all of the operations. They run in FP16.
HEAVY = frozenset({"Conv", "Gemm"})
#: So does a product that has something in FP16 to multiply; the others are geometry.
PRODUCT = "MatMul"
#: These only choose or move numbers: they stay in FP16 behind a heavy layer.
CARRYING = frozenset({"Relu", "MaxPool", "Flatten"})
SUFFIX = "_half"


class _Rewriter:
    """One pass over a graph in its (topological) order.

    ``half`` and ``full`` name the FP16 and FP32 version of each tensor, as far as there is one.
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
                self._take(node)
        for value in graph.output:
            self._as_full(value.name)

    def _take(self, node: NodeProto) -> None:
        carrying = node.op_type in CARRYING and self._is_half(node.input[0])
        new = NodeProto()
        new.CopyFrom(node)
        del new.input[:]
        product = node.op_type == PRODUCT and any(self._is_half(name) for name in node.input)
        if node.op_type in HEAVY or product or carrying:
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
    """A model of this package with its convolutions and dense layers in FP16, all else in FP32.

    Inputs, outputs and their names stay. Reductions, normalisation, similarity transforms, the
    heat-map, sampling and the sigmoid stay in FP32: their squares overflow FP16, and a pixel
    coordinate has three digits before the point.
    """
    model = onnx.load(path)
    rewritten = _Rewriter(model.graph)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(rewritten.nodes)
    model.graph.initializer.extend(rewritten.weights)
    onnx.checker.check_model(model, full_check=True)
    return model
