"""`edan engine`: plans are built ahead of time, listed and deleted."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from edan_ros.cli.main import main
from edan_ros.engines import EngineError
from edan_ros.engines.manifest import load_manifest, shipped_models
from edan_ros.engines.plan_cache import PlanCache
from edan_ros.engines.tensorrt_build import library


def no_driver(_name: str) -> None:
    raise OSError("cannot open shared object file")


@pytest.fixture
def rtx() -> None:
    pytest.importorskip("onnx", reason="TensorRT's graph is made with onnx")
    try:
        library("tensorrt_rtx")
    except EngineError as error:
        pytest.skip(f"no TensorRT-RTX: {error}")


@pytest.mark.usefixtures("rtx")
def test_from_building_to_deleting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For two GPUs that are not here; a second time nothing is built."""
    folder = ["--cache", str(tmp_path)]
    ahead = ["engine", "build", "edan-lite", "--engine", "tensorrt_rtx", *folder]
    assert main([*ahead, "--target", "86", "--target", "8.9"]) == 0
    output = capsys.readouterr().out
    for capability in ("8.6", "8.9"):
        assert f"building edan-lite for GPUs of compute capability {capability}" in output
    files = [plan.name for plan, _ in PlanCache(tmp_path).plans()]
    assert files == [f"edan-lite-fp16-tensorrt_rtx-sm{n}.plan" for n in (86, 89)]

    assert main([*ahead, "--target", "sm86"]) == 0
    assert capsys.readouterr().out == f"{files[0]} exists and fits\n"
    before = (tmp_path / files[0]).stat().st_ino
    assert main([*ahead, "--target", "86", "--again"]) == 0
    assert "--again was given" in capsys.readouterr().out
    assert (tmp_path / files[0]).stat().st_ino != before

    assert main(["engine", "list", *folder]) == 0
    output = capsys.readouterr().out
    assert str(tmp_path) in output.replace("\n", "")
    assert output.count("every GPU") == 2

    assert main(["engine", "clear", "no-such-model", *folder]) == 0
    assert "deleted 0 plans" in capsys.readouterr().out
    assert main(["engine", "clear", "edan-lite", *folder]) == 0
    assert "deleted 2 plans" in capsys.readouterr().out
    assert main(["engine", "list", *folder]) == 0
    assert capsys.readouterr().out == f"no plan in {tmp_path}\n"


@pytest.mark.usefixtures("rtx")
def test_a_plan_of_another_file_is_built_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["engine", "build", "edan-lite", "--engine", "tensorrt_rtx", "--target", "86"]
    assert main([*arguments, "--cache", str(tmp_path)]) == 0
    ((plan, _key),) = PlanCache(tmp_path).plans()
    record = plan.with_suffix(".json")
    text = record.read_text(encoding="utf-8")
    sha256 = text.split('"onnx": "')[1][:64]
    record.write_text(text.replace(sha256, "f" * 64), encoding="utf-8")
    capsys.readouterr()
    assert main([*arguments, "--cache", str(tmp_path)]) == 0
    assert f"is for onnx ffffffffffff (now {sha256[:12]})" in capsys.readouterr().out
    plan.write_bytes(plan.read_bytes()[:1000])
    assert main([*arguments, "--cache", str(tmp_path)]) == 0
    assert f"{plan} is damaged" in capsys.readouterr().out


@pytest.mark.usefixtures("rtx")
def test_without_names_all_that_run_on_a_gpu_are_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The face detector, too, which then is there by its name; eyes run on ONNX Runtime."""
    ahead = ["--engine", "tensorrt_rtx", "--target", "86", "--cache", str(tmp_path)]
    assert main(["engine", "build", *ahead]) == 0
    built = {key.model for _, key in PlanCache(tmp_path).plans()}
    names = shipped_models() + shipped_models("detector")
    assert built == {n for n in names if load_manifest(n, task=None).precision != "int8"}
    assert {"edan-detector", "edan-lite"} <= built
    capsys.readouterr()
    assert main(["engine", "build", "edan-detector", *ahead]) == 0
    assert capsys.readouterr().out == "edan-detector-fp16-tensorrt_rtx-sm86.plan exists and fits\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build"], "no NVIDIA driver here .*: to build for a GPU elsewhere, give --engine"),
        (["build", "--engine", "tensorrt_rtx"], "to build for a GPU elsewhere, give its --target"),
        (["build", "x", "--engine", "tensorrt_rtx", "--target", "86"], "no model is called 'x'"),
    ],
)
def test_a_plan_that_cannot_be_built_is_one_sentence(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    assert main(["engine", *arguments]) != 0
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert re.search(message, text)


def test_tensorrt_builds_only_for_the_local_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["engine", "build", "--target", "86"])
    assert error.value.code == 2
    assert "tensorrt builds only for the GPU of this machine" in capsys.readouterr().err


@pytest.mark.parametrize("capability", ["x", "8", "8.x"])
def test_an_invalid_compute_capability_is_explained(
    capability: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["engine", "build", "--target", capability])
    assert error.value.code == 2
    assert f"'{capability}' is not a compute capability" in capsys.readouterr().err


@pytest.mark.usefixtures("rtx")
def test_a_folder_that_others_can_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o777)
    arguments = ["engine", "build", "edan-lite", "--engine", "tensorrt_rtx", "--target", "86"]
    assert main([*arguments, "--cache", str(tmp_path)]) != 0
    assert f"chmod go-w {tmp_path}" in capsys.readouterr().err
