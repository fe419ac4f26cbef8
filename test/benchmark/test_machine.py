"""The peak performance of the machine: correct products, rates and their maximum."""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import pytest

from edan_ros.benchmark.machine import (
    MATMUL_MODEL,
    PRODUCTS,
    matrix_rate,
    matrix_rate_in_process,
    measure_machine,
)


def test_the_stored_model_equals_the_one_that_onnx_writes() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx (extra train) writes the expected model")
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
    assert text(onnx.load_from_string(MATMUL_MODEL)) == text(model)


@pytest.mark.parametrize("library", PRODUCTS)
def test_every_library_computes_the_matrix_product(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 40), np.float32), rng.random((40, 40), np.float32)
    np.testing.assert_allclose(PRODUCTS[library](a, b, 1)(), a @ b, rtol=1e-4)


def test_the_rate_is_operations_per_time() -> None:
    """2 * 100^3 operations in 10 ms, by a clock that advances by 10 ms per reading."""
    ticks = itertools.count()
    rate = matrix_rate("numpy", 1, 0.05, side=100, clock=lambda: 0.01 * next(ticks))
    assert rate == pytest.approx(2e6 / 0.01 / 1e9)


def test_the_peak_is_the_highest_rate_of_the_installed_libraries() -> None:
    measured = []

    def rate(library: str, threads: int, _seconds: float) -> float:
        measured.append((library, threads))
        return {"onnxruntime": 120.04, "numpy": 90.0}[library]

    libraries = ("onnxruntime", "numpy", "not_installed_anywhere")
    machine = measure_machine(3, 0.01, libraries, rate)
    assert measured == [("onnxruntime", 3), ("numpy", 3)]
    assert machine.gemm_by == {"onnxruntime": 120.0, "numpy": 90.0}
    assert (machine.gemm_gflops_fp32, machine.threads) == (120.0, 3)
    assert machine.copy_gbps > 0
    assert machine.cpu


def test_a_library_can_be_measured_in_a_new_process() -> None:
    assert matrix_rate_in_process("numpy", 1, 0.01) > 0
