"""A fixed number of fuzzed inputs, each format in a process that may die, and the stored ones."""

from __future__ import annotations

import sys
from pathlib import Path

import fuzz_worker
import pytest
from fuzz import CORPUS, TARGETS, check_inputs, corpus_of, minimise, run_worker
from fuzz_images import SEEDS, animated_png, animated_webp
from fuzz_targets import Target

from edan_ros.core.images import ImageError, decode_compressed, decode_file

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="measures memory as Linux does"
)
ROS = {"messages", "parameters"}
#: Mutated inputs per format and target.
COUNT = 150


@pytest.mark.parametrize("name", list(SEEDS))
def test_no_encoded_image_ends_the_process_or_prints(name: str) -> None:
    run = run_worker(name, "--count", str(COUNT), "--seed", "7")
    assert not run.fault, f"{run.fault}: {run.data.hex()[:400]}"
    assert run.done == COUNT
    assert run.printed == ""


@pytest.mark.parametrize("name", TARGETS)
def test_stored_and_mutated_inputs_show_no_fault(name: str) -> None:
    if name in ROS:
        pytest.importorskip("rclpy", reason="ROS is not installed")
    stored = corpus_of(name)
    arguments = ["--inputs", *map(str, stored)] if stored else []
    run = run_worker(name, "--count", "40", "--seed", "7", *arguments)
    assert not run.fault, f"{run.fault}: {run.data.hex()[:400]}"
    assert run.done == 40 + len(stored)


@pytest.mark.parametrize("name", list(SEEDS))
def test_the_images_that_are_mutated_decode(name: str) -> None:
    for data in SEEDS[name]():
        if data == animated_webp():
            with pytest.raises(ImageError, match="is an animation"):
                decode_compressed(data)
        else:
            assert decode_file(data, name).pixels.size


def test_an_animated_png_of_the_generator_is_a_still_image() -> None:
    assert decode_compressed(animated_png()).width == 40


def test_the_stored_inputs_are_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) < 200_000


class Fragile(Target):
    """Fails on inputs with the letter x."""

    def seeds(self) -> list[bytes]:
        return [b"abc"]

    def check(self, data: bytes) -> None:
        if b"m" in data:
            self.kept = bytearray(500_000_000)
            self.kept[::4096] = b"y" * len(self.kept[::4096])
        assert b"x" not in data


@pytest.mark.parametrize("data", [b"x", b"m"])
def test_a_fault_is_noticed(data: bytes, tmp_path: Path) -> None:
    current = tmp_path / "input"
    fuzz_worker.check(Fragile(), b"abc", current)
    with pytest.raises(AssertionError):
        fuzz_worker.check(Fragile(), data, current)
    assert current.read_bytes() == data


def test_a_process_that_dies_is_a_fault_and_its_input_is_minimised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, shutil, sys\n"
        "shutil.copy(sys.argv[4], sys.argv[2])\n"
        "if b'kill' in open(sys.argv[4], 'rb').read(): os.abort()\n"
        "print(1)\n"
    )
    monkeypatch.setattr("fuzz.WORKER", worker)
    path = tmp_path / "long"
    path.write_bytes(b"please kill this process")
    run = check_inputs("any", path)
    assert run.fault.startswith("exit code -6")
    assert run.data == path.read_bytes()
    assert minimise("any", run.data) == b"kill"
