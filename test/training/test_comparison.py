"""Intervals of a comparison against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.emotions import softmax
from edan_ros.training.emotion.comparison import (
    PREDICTIONS,
    RESULT,
    SeedNoise,
    difference,
    interval,
    read_runs,
    seed_noise,
    summed,
    table,
)
from edan_ros.training.emotion.losses import TO_POLARITY

#: Several seeds whose accuracy has a variance of .0004, known from infinitely many.
NOISE = SeedNoise(0.0004, 10**6)


def test_the_interval_of_one_run_covers_the_choice_of_images() -> None:
    """60 of 100 right: half of the interval is 1.96 times the root of .6 * .4 / 100."""
    right = np.arange(100)[None] < 60
    mean, half = interval(right, SeedNoise())
    assert mean == pytest.approx(0.6)
    assert half == pytest.approx(1.96 * math.sqrt(0.24 / 100))
    assert interval(right, NOISE)[1] == pytest.approx(1.96 * math.sqrt(0.0024 + 0.0004), rel=1e-3)


def test_the_effect_of_the_seed_is_pooled_over_configurations() -> None:
    """Accuracies .5 and .7, and .4, .5 and .6: squares of .02 and .02 over one and two degrees."""
    first = np.stack([np.arange(100) < 50, np.arange(100) < 70])
    second = np.stack([np.arange(100) < n for n in (40, 50, 60)])
    noise = seed_noise([first, None, second, first[:1]])
    assert noise.freedom == 3
    assert noise.variance == pytest.approx(0.04 / 3)
    assert noise.width == pytest.approx(3.182, abs=1e-3)  # Student's t, tables
    image_variance = first.mean(axis=0).var() / 100
    assert interval(first, noise)[1] == pytest.approx(
        noise.width * math.sqrt(image_variance + noise.variance / 2)
    )
    assert seed_noise([first[:1], second[:1]]) == SeedNoise()


def test_a_difference_is_paired_by_image() -> None:
    """Right on the same images and on ten more: the interval is narrower than of an accuracy."""
    reference = np.arange(1000)[None] < 600
    better = np.arange(1000)[None] < 610
    mean, half = difference(better, reference, SeedNoise())
    assert mean == pytest.approx(0.01)
    assert half == pytest.approx(1.96 * math.sqrt(0.01 * 0.99 / 1000))
    assert half < interval(better, SeedNoise())[1] / 4
    noisy = difference(better, reference, NOISE)[1]
    assert noisy == pytest.approx(1.96 * math.sqrt(0.01 * 0.99 / 1000 + 2 * 0.0004), rel=1e-3)


def test_a_difference_uses_the_seeds_that_both_have() -> None:
    reference = np.stack([np.arange(100) < 60, np.arange(100) < 40])
    once = np.arange(100)[None] < 61
    assert difference(once, reference, NOISE)[0] == pytest.approx(0.01)
    both = np.stack([np.arange(100) < 61, np.arange(100) < 45])
    assert difference(both, reference, NOISE)[0] == pytest.approx(0.03)


def test_sums_use_calibrated_probabilities() -> None:
    """Four negatives of .15 outweigh a neutral of .4, but not at the temperature of the labels."""
    probabilities = np.array([0.4, 0.0, 0.15, 0.0, 0.15, 0.15, 0.15]).clip(1e-9)
    labels = np.where(np.arange(200) % 10 < 7, 0, 2)
    logits = np.tile(np.log(probabilities), (200, 1))
    assert (softmax(logits) @ TO_POLARITY.numpy()).argmax(axis=1).tolist() == [2] * 200
    assert summed(logits, labels).argmax(axis=1).tolist() == [0] * 200


def write(folder: Path, logits: np.ndarray, majority: np.ndarray) -> Path:
    folder.mkdir()
    np.savez(folder / PREDICTIONS, logits=logits, majority=majority)
    result = {"samples": 640, "parameters": 2_000_000, "gflop": 0.5, "macro_f1": 0.5}
    (folder / RESULT).write_text(json.dumps(result))
    return folder


def test_seven_classes_are_summed_to_three(tmp_path: Path) -> None:
    """Sad for anger is wrong with seven classes and right with three."""
    seven = write(tmp_path / "seven", np.eye(7)[[2, 1]] * 9, np.array([6, 1]))
    three = write(tmp_path / "three", np.eye(3)[[2, 0]] * 9, np.array([6, 1]))
    rows = [read_runs(path.name, [path]) for path in (seven, three)]
    assert rows[0].right is not None
    assert rows[0].right.tolist() == [[False, True]]
    assert rows[0].right_3.tolist() == [[True, True]]
    assert rows[1].right is None
    assert rows[1].right_3.tolist() == [[True, False]]
    lines = [" ".join(line.split()) for line in table(rows).splitlines()]
    assert (
        "| seven | 1 | 640 | 2.00 M | 0.500 | 50.0 ± 69.3 % | - | 0.500 | 100.0 ± 0.0 % | - |"
        in lines
    )
    assert lines[-1].startswith("± is 95 %, over the choice of images only")


def test_the_table_gives_the_effect_of_the_seed(tmp_path: Path) -> None:
    majority = np.array([1, 1])
    folders = [
        write(tmp_path / str(i), np.eye(7)[predicted] * 9, majority)
        for i, predicted in enumerate(([1, 1], [1, 2]))
    ]
    last = table([read_runs("twice", folders)]).splitlines()[-1]
    assert last.endswith("standard deviation is 35.4 points of accuracy, from 1 repeated run.")


def test_runs_of_version_0_5_are_read(tmp_path: Path) -> None:
    """They named the predictions answers.npz, and the samples draws."""
    folder = write(tmp_path / "old", np.eye(7)[[1, 2]] * 9, np.array([1, 2]))
    (folder / PREDICTIONS).rename(folder / "answers.npz")
    (folder / RESULT).write_text('{"draws": 640}')
    row = read_runs("old", [folder])
    assert row.right is not None
    assert row.right.all()
    assert row.mean("samples") == 640
