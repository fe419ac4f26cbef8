"""Selection of the model for `model: auto` on machines with different processors and GPUs."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from edan_ros.engines import Selection, select_model
from edan_ros.engines.manifest import load_manifest
from edan_ros.engines.select import FP32_MODEL, INT8_MODEL, cpu_flags, tensorrt_is_usable

HASWELL = {"fpu", "sse4_2", "avx2", "fma"}
CORTEX_A72 = {"fp", "asimd", "crc32"}


@pytest.mark.parametrize(
    ("flags", "instructions"),
    [
        (HASWELL | {"avx512f", "avx512_vnni"}, "AVX-512 VNNI"),
        (HASWELL | {"avx_vnni"}, "AVX-VNNI"),
        (HASWELL | {"avx512_vnni", "amx_tile", "amx_int8"}, "AMX-INT8"),
        (CORTEX_A72 | {"asimddp"}, "ARM dotprod"),
        (CORTEX_A72 | {"asimddp", "i8mm"}, "ARM i8mm"),
    ],
)
def test_auto_selects_int8_with_8_bit_dot_products(flags: set[str], instructions: str) -> None:
    selection = select_model("auto", flags=flags, gpu=False)
    assert selection.name == INT8_MODEL
    assert instructions in selection.reason


@pytest.mark.parametrize("flags", [HASWELL, HASWELL | {"avx512f", "avx512bw"}, CORTEX_A72, set()])
def test_auto_selects_fp32_without_8_bit_dot_products(flags: set[str]) -> None:
    selection = select_model("auto", flags=flags, gpu=False)
    assert selection.name == FP32_MODEL
    assert "no 8-bit dot products" in selection.reason


def test_auto_selects_the_fp16_path_on_a_gpu() -> None:
    selection = select_model("auto", flags={"avx512_vnni"}, gpu=True)
    assert selection.name == FP32_MODEL
    assert "FP16" in selection.reason


@pytest.mark.parametrize("engine", ["tensorrt", "tensorrt_rtx", "torch"])
def test_auto_selects_fp32_for_engines_without_int8(engine: str) -> None:
    selection = select_model("auto", engine=engine, flags={"avx512_vnni"}, gpu=False)
    assert selection.name == FP32_MODEL
    assert engine in selection.reason


def test_auto_selects_int8_for_onnx_runtime_beside_a_gpu() -> None:
    selection = select_model("auto", engine="onnxruntime", flags={"avx_vnni"}, gpu=True)
    assert selection.name == INT8_MODEL


def test_a_requested_model_is_kept() -> None:
    selection = select_model("edan", flags={"avx512_vnni"}, gpu=True)
    assert selection == Selection("edan", "Model edan was requested.")


def test_the_selectable_models_ship_in_the_stated_precision() -> None:
    assert load_manifest(INT8_MODEL).quantised
    assert not load_manifest(FP32_MODEL).quantised


def test_this_machine_gets_a_model_with_a_one_sentence_reason() -> None:
    selection = select_model()
    assert selection.name in (FP32_MODEL, INT8_MODEL)
    assert selection.reason.endswith(".")
    assert selection == select_model("auto", flags=cpu_flags(), gpu=tensorrt_is_usable())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu AVX2 avx512_vnni\nbugs\t\t: x\n", {"avx2", "avx512_vnni"}),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd41\n", {"asimddp"}),
    ],
)
def test_cpu_flags_are_read_from_cpuinfo(text: str, expected: set[str], tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    assert expected <= cpu_flags(path)
    assert "x" not in cpu_flags(path)


def test_cpu_flags_are_empty_where_they_are_unknown(tmp_path: Path) -> None:
    assert cpu_flags(tmp_path / "missing") == frozenset()
    (tmp_path / "empty").write_text("vendor_id : x\n", encoding="utf-8")
    assert cpu_flags(tmp_path / "empty") == frozenset()


def test_a_gpu_without_pycuda_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edan_ros.engines.select.is_installed", lambda name: name != "pycuda")
    assert not tensorrt_is_usable()


def test_libraries_without_a_driver_are_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(_name: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr("edan_ros.engines.select.is_installed", lambda _name: True)
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    assert not tensorrt_is_usable()
