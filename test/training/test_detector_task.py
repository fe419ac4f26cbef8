"""The run of a detector: its configuration, its checkpoints and the exported file."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from test_detector_data import source_image  # noqa: E402

from edan_ros.core.geometry import MEAN_SHAPE  # noqa: E402
from edan_ros.detection.detector_model import DetectorModel  # noqa: E402
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of  # noqa: E402
from edan_ros.networks.face_detector import DetectorOutput, FaceDetector  # noqa: E402
from edan_ros.training.common.checkpoints import read_state  # noqa: E402
from edan_ros.training.common.config import ConfigError  # noqa: E402
from edan_ros.training.common.distributed import World  # noqa: E402
from edan_ros.training.common.run_log import read_log  # noqa: E402
from edan_ros.training.common.trainer import Interrupted, PhaseState, Trainer  # noqa: E402
from edan_ros.training.detector.composer import Composition  # noqa: E402
from edan_ros.training.detector.export import (  # noqa: E402
    USUAL_THRESHOLD,
    export_detector,
    export_release,
)
from edan_ros.training.detector.hard_regions import find_hard_regions  # noqa: E402
from edan_ros.training.detector.sources import SourceImage  # noqa: E402
from edan_ros.training.detector.task import (  # noqa: E402
    DetectorConfig,
    DetectorTask,
    check_run,
    load_averaged,
    load_detector_config,
)

RECIPE = Path(__file__).resolve().parents[2] / "config" / "train" / "detector.yaml"
SMALL = {"widths": [4, 4, 8, 8, 8], "blocks": [0, 1, 0, 1], "neck": 8}


IMAGES = {"landmarks68": [source_image(1), source_image(2)]}


def config(**changes: Any) -> DetectorConfig:
    base = replace(
        load_detector_config(RECIPE),
        start="",
        frozen=(),
        size=64,
        batch=4,
        epochs=2,
        epoch_samples=8,
        network=SMALL,
        composition=Composition(scene_face=(20.0, 50.0), pasted_face=(10.0, 30.0)),
    )
    return replace(base, **changes)


def trainer(out: Path, start: Path | None = None, **changes: Any) -> Trainer:
    options = {"on_step", "workers", "checkpoint_minutes"} & set(changes)
    given = {"workers": 0, **{name: changes.pop(name) for name in options}}
    return Trainer(DetectorTask(config(**changes), IMAGES, start=start), out, **given)


def train(out: Path, start: Path | None = None, **changes: Any) -> FaceDetector:
    return trainer(out, start, **changes).run()


def initial(start: Path | None, **changes: Any) -> FaceDetector:
    """The network that a run starts with."""
    task = DetectorTask(config(**changes), IMAGES, start=start)
    return task.create_learner(0, None, torch.device("cpu"), resumed=False).network


def assert_equal(first: FaceDetector, second: FaceDetector) -> None:
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_leaves_a_checkpoint_inside_an_epoch(tmp_path: Path, workers: int) -> None:
    """Stopped at the third step of each of two epochs, then resumed to the end."""
    whole = train(tmp_path / "whole", epoch_samples=20)

    def stop(state: PhaseState) -> None:
        if state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(2):
        with pytest.raises(Interrupted):
            train(tmp_path / "cut", epoch_samples=20, on_step=stop, workers=workers)
        assert read_state(tmp_path / "cut/detector.pt")["step"] == 3
    assert_equal(train(tmp_path / "cut", epoch_samples=20), whole)
    logs = [read_log(tmp_path / name) for name in ("whole", "cut")]
    for one, other in zip(*logs, strict=True):
        assert one["train_total"] == pytest.approx(other["train_total"], rel=1e-6)


def test_a_crash_costs_at_most_the_time_between_checkpoints(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", epoch_samples=20)

    def crash(state: PhaseState) -> None:
        if state.step == 4:
            raise MemoryError

    with pytest.raises(MemoryError):
        train(tmp_path / "cut", epoch_samples=20, checkpoint_minutes=0.0, on_step=crash)
    assert read_state(tmp_path / "cut/detector.pt")["step"] == 3
    assert_equal(train(tmp_path / "cut", epoch_samples=20), whole)


def test_a_checkpoint_of_version_0_5_is_resumed(tmp_path: Path) -> None:
    """It was written after an epoch, with a log that counts from 0."""
    whole, out = train(tmp_path / "whole"), tmp_path / "old"

    def crash(state: PhaseState) -> None:
        if state.epoch == 1:
            raise MemoryError

    with pytest.raises(MemoryError):
        train(out, on_step=crash)
    state = read_state(out / "detector.pt")
    old = ("epoch", "network", "average", "steps", "optimiser")
    torch.save({name: state[name] for name in old}, out / "detector.pt")
    (out / "log.jsonl").write_text('{"epoch": 0, "train_score": 2.0}\n')
    assert load_averaged(config(), out).config == whole.config
    assert_equal(train(out), whole)
    assert [(entry["phase"], entry["epoch"]) for entry in read_log(out)] == [(1, 1), (1, 2)]


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    world = World(torch.device("cpu"))
    needs_start = config(start="first.yaml")
    with pytest.raises(ConfigError, match=r"first\.yaml: name its folder with --start"):
        check_run(needs_start, tmp_path / "second", None, world)
    check_run(needs_start, tmp_path / "second", tmp_path / "first", world)
    assert_equal(initial(tmp_path / "first"), first)
    wider = config(network={**SMALL, "neck": 16})
    with pytest.raises(ConfigError, match="another network"):
        check_run(wider, tmp_path / "third", tmp_path / "first", world)


def test_a_run_starts_from_a_model_file(tmp_path: Path) -> None:
    """The new network computes what the file does, except for what its new blocks add."""
    torch.manual_seed(1)
    first = FaceDetector(**SMALL)
    first(torch.rand(8, 1, 64, 64) * 255)  # running statistics of its own
    file = tmp_path / "first.onnx"
    export_detector(first.eval(), file)
    save_manifest(file)
    same = initial(file)
    image = torch.rand(1, 1, 64, 64) * 255
    with torch.no_grad():
        expected, found = first(image), same.eval()(image)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.boxes, expected.boxes, atol=1e-2, rtol=1e-3)
    deeper = initial(file, network={**SMALL, "blocks": [1, 2, 0, 1], "refined": 2})
    with torch.no_grad():
        assert 0 < (deeper.eval()(image).logits - expected.logits).abs().max() < 0.5
    with pytest.raises(ConfigError, match=r"first\.onnx holds another network"):
        initial(file, network={**SMALL, "neck": 16})


def test_a_run_may_add_blocks_and_freeze_parts(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    deeper = {"network": {**SMALL, "blocks": [0, 2, 0, 1], "refined": 1}, "frozen": ("stem",)}
    second = initial(tmp_path / "first", **deeper)
    known, begun = first.state_dict(), second.state_dict()
    assert {k.rsplit(".", 2)[0] for k in set(begun) - set(known)} == {
        "stages.1.2.body",
        "refined.0.body",
    }
    for name, value in known.items():
        torch.testing.assert_close(begun[name], value)
    image = torch.rand(1, 1, 64, 64) * 255
    before, after = (network.eval()(image).logits for network in (first, second))
    assert 0 < (before - after).abs().max() < 0.5
    trained = train(tmp_path / "second", tmp_path / "first", **deeper).state_dict()
    kept = {n for n, v in known.items() if torch.equal(trained[n], v)}
    averaged_counters = {n for n in known if n.endswith("num_batches_tracked")}
    assert (
        kept - averaged_counters == {n for n in known if n.startswith("stem.")} - averaged_counters
    )
    with pytest.raises(ConfigError, match="another network"):  # for export it must be whole
        load_averaged(config(**deeper), tmp_path / "first")


def test_steps_on_one_batch_lead_to_its_boxes(tmp_path: Path) -> None:
    """Loss, targets and decoding agree: one batch shown in every step is learned."""
    task = DetectorTask(
        config(network={}, learning_rate=0.003, epoch_samples=4, epochs=30, warmup_epochs=0.0),
        {"landmarks68": [source_image(1)]},
    )
    data = task.epoch_data(0, 0)
    task.epoch_data = lambda *_: data  # type: ignore[method-assign]
    Trainer(task, tmp_path, workers=0).run()
    log = read_log(tmp_path)
    for term in ("score", "box", "points"):
        assert log[-1][f"train_{term}"] < 0.5 * log[0][f"train_{term}"]


class FixedBoxes(FaceDetector):
    """Finds the same three boxes in every image."""

    def forward(self, image: torch.Tensor) -> DetectorOutput:  # noqa: ARG002
        boxes = torch.tensor([[[70.0, 70, 60, 60], [10, 10, 30, 30], [-20, 90, 40, 40]]])
        return DetectorOutput(torch.tensor([[3.0, 2.0, 2.0]]), boxes, torch.zeros(1, 3, 5, 2))


def test_false_boxes_are_hard_regions_unless_the_border_cuts_them() -> None:
    face = (MEAN_SHAPE * 60 + 100).astype(np.float32)
    with_face, empty = (
        replace(SourceImage.without_faces(np.zeros((200, 240), np.uint8)), outlines=outlines)
        for outlines in (face[None], np.empty((0, 68, 2), np.float32))
    )
    found = find_hard_regions(FixedBoxes(**SMALL).eval(), [with_face, empty])
    np.testing.assert_array_equal(found[0].hard, [[10, 10, 30, 30]])
    np.testing.assert_array_equal(found[1].hard, [[70, 70, 60, 60], [10, 10, 30, 30]])


def test_a_run_with_hard_regions_names_the_run_that_it_starts_from(tmp_path: Path) -> None:
    hard = config(composition=replace(config().composition, hard=0.5))
    with pytest.raises(ConfigError, match="hard regions"):
        check_run(hard, tmp_path, None, World(torch.device("cpu")))


@pytest.mark.parametrize("text", ["size: [", "name: x", "task: emotions", "colour: red"])
def test_wrong_configurations_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    lines = RECIPE.read_text().replace("base: ", f"base: {RECIPE.parent}/")
    path.write_text(text if text in ("size: [", "name: x") else f"{lines}\n{text}\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        load_detector_config(path)


@pytest.mark.parametrize("shape", [(64, 96), (128, 32)])
def test_the_exported_file_equals_the_network_at_any_size(tmp_path: Path, shape) -> None:
    network = train(tmp_path / "run")
    path = tmp_path / "small.onnx"
    export_detector(network, path, threshold=0.3)
    gray = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save_manifest(path)
    answers = DetectorModel(path, threads=1)(gray)
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(gray)[None, None].float())
    np.testing.assert_allclose(answers.boxes, found.boxes[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(answers.points, found.points[0], rtol=1e-3, atol=1e-3)
    moved = np.log(answers.scores / (1 - answers.scores)) - found.logits[0].numpy()
    expected = np.log(USUAL_THRESHOLD / (1 - USUAL_THRESHOLD)) - np.log(0.3 / 0.7)
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def save_manifest(path: Path) -> None:
    values = {"sha256": sha256_of(path), "task": "detector", "labels": (), "input_size": 64}
    Manifest(path=path, name=path.stem, version="1", **values).save()


def test_a_run_is_exported_with_its_manifest(tmp_path: Path, monkeypatch) -> None:
    from edan_ros.training.detector import export as detector_export

    with pytest.raises(ConfigError, match="holds no checkpoint"):
        load_averaged(config(), tmp_path)
    train(tmp_path / "run")
    monkeypatch.setattr(detector_export, "load_detector_config", lambda _path: config())
    monkeypatch.setattr(detector_export, "measure_detector", lambda *_: {"recall": 0.5})
    manifest = export_release(RECIPE, tmp_path / "run", tmp_path, tmp_path / "to")
    assert load_manifest(manifest.path, "detector") == manifest
    assert manifest.terms == config().terms != ""
    assert manifest.metrics == {"recall": 0.5}
    command = manifest.training["command"]
    assert command.startswith("edan train detector-base.yaml --data DATA --out detector-base && ")
    assert command.endswith(" detector --data DATA --to to")
    assert manifest.parameters == sum(
        p.numel() for p in load_averaged(config(), tmp_path / "run").parameters()
    )


@pytest.mark.parametrize("threshold", [".nan", "1.0", "0.0", "-1.0"])
def test_a_threshold_that_is_no_score_is_refused(tmp_path: Path, threshold: str) -> None:
    path = tmp_path / "detector.yaml"
    path.write_text(f"base: {RECIPE.resolve()}\nthreshold: {threshold}\n")
    with pytest.raises(ConfigError, match="threshold is"):
        load_detector_config(path)
