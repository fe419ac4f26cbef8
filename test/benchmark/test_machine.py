"""The floor: products that are right, in graphs that are right, and the highest of them."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.benchmark import machine
from edan_ros.benchmark.machine import matrix_rate, measure_machine


def test_the_matrix_product_is_the_graph_that_onnx_writes() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx (extra train) writes the graph to compare with")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    a, b, c = (
        helper.make_tensor_value_info(name, kind, shape)
        for name, shape in (("a", ["m", "k"]), ("b", ["k", "n"]), ("c", ["m", "n"]))
    )
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])], "product", [a, b], [c]
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="")
    text = onnx.printer.to_text
    assert text(onnx.load_from_string(machine._MATMUL)) == text(model)


def test_every_library_multiplies_the_same_matrices() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 40), np.float32), rng.random((40, 40), np.float32)
    _, _, c = machine._onnxruntime_product(a, b, 1)()
    np.testing.assert_allclose(c, a @ b, rtol=1e-4)
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    np.testing.assert_allclose(machine._torch_product(a, b, 1)().numpy(), a @ b, rtol=1e-4)


def test_the_rate_is_operations_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two operations for each of 1000^3 multiply-adds; in 10 ms that are 200 GFLOP/s."""
    monkeypatch.setattr(machine, "SIDE", 1000)
    monkeypatch.setattr(machine, "fastest", lambda _call, _seconds: 0.01)
    assert matrix_rate("numpy", 1, 0.1) == pytest.approx(200.0)


def test_the_highest_rate_is_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each library that is there, with the threads of the engine."""
    asked = []

    def rate(library: str, threads: int, _seconds: float) -> float:
        asked.append((library, threads))
        return {"onnxruntime": 120.04, "numpy": 90.0}[library]

    monkeypatch.setattr(machine, "LIBRARIES", ("onnxruntime", "numpy", "not_installed_anywhere"))
    monkeypatch.setattr(machine, "_in_a_process", rate)
    monkeypatch.setattr(machine, "COPIED", 2**20)
    measured = measure_machine(3, 0.01)
    assert asked == [("onnxruntime", 3), ("numpy", 3)]
    assert measured.gemm_by == {"onnxruntime": 120.0, "numpy": 90.0}
    assert (measured.gemm_gflops_fp32, measured.threads) == (120.0, 3)
    assert measured.copy_gbps > 0
    assert measured.cpu


def test_a_library_is_measured_in_a_process_of_its_own() -> None:
    assert machine._in_a_process("numpy", 1, 0.01) > 0
