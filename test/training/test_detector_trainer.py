"""A detector's run: its configuration, its checkpoints, and the file that comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from test_detector_data import picture  # noqa: E402
from torch.utils.data import default_collate  # noqa: E402

from edan_ros.engines.detector_engine import DetectorNetwork  # noqa: E402
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of  # noqa: E402
from edan_ros.networks.face_detector import FaceDetector  # noqa: E402
from edan_ros.training.common.config import ConfigError  # noqa: E402
from edan_ros.training.detector.data import Composition, DetectorData  # noqa: E402
from edan_ros.training.detector.export import (  # noqa: E402
    USUAL_THRESHOLD,
    export_detector,
    finish_detector,
)
from edan_ros.training.detector.trainer import (  # noqa: E402
    DetectorConfig,
    DetectorTrainer,
    load_averaged,
    load_detector_config,
)

RECIPE = Path(__file__).resolve().parents[2] / "config" / "train" / "detector.yaml"
SMALL = {"widths": [4, 4, 8, 8, 8], "blocks": [0, 1, 0, 1], "neck": 8}


def config(**changes) -> DetectorConfig:
    base = replace(
        load_detector_config(RECIPE),
        start="",
        frozen=(),
        size=64,
        batch=4,
        epochs=2,
        pictures=8,
        network=SMALL,
        composition=Composition(scene_face=(20.0, 50.0), pasted_face=(10.0, 30.0)),
    )
    return replace(base, **changes)


def train(out: Path, **changes) -> DetectorTrainer:
    trainer = DetectorTrainer(
        config(**changes), {"landmarks68": [picture(1), picture(2)]}, out, workers=0
    )
    trainer.run()
    return trainer


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")

    class CutShortError(Exception):
        pass

    class Stopped(DetectorTrainer):
        def _run_epoch(self, epoch: int) -> dict[str, float]:
            if epoch == 1:
                raise CutShortError
            return super()._run_epoch(epoch)

    with pytest.raises(CutShortError):
        Stopped(
            config(), {"landmarks68": [picture(1), picture(2)]}, tmp_path / "cut", workers=0
        ).run()
    resumed = train(tmp_path / "cut")
    for a, b in zip(
        whole.average.network.state_dict().values(),
        resumed.average.network.state_dict().values(),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
    assert len((tmp_path / "cut" / "log.jsonl").read_text().splitlines()) == 2


def test_a_run_goes_on_from_the_weights_of_another(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    pictures = {"landmarks68": [picture(1)]}
    how = config(start="first.yaml")
    with pytest.raises(ConfigError, match=r"first\.yaml: give that run's folder with --start"):
        DetectorTrainer(how, pictures, tmp_path / "second")
    second = DetectorTrainer(how, pictures, tmp_path / "second", start=tmp_path / "first")
    for network in (second.network, second.average.network):
        for a, b in zip(
            network.state_dict().values(), first.average.network.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(a, b)
    wider = config(network={**SMALL, "neck": 16})
    with pytest.raises(ConfigError, match="another network"):
        DetectorTrainer(wider, pictures, tmp_path / "third", start=tmp_path / "first")


def test_a_run_goes_on_from_a_model_file(tmp_path: Path) -> None:
    """What the file says, the new network says too, but for what its new blocks add."""
    torch.manual_seed(1)
    first = FaceDetector(**SMALL)
    first(torch.rand(8, 1, 64, 64) * 255)  # running statistics of its own
    file = tmp_path / "first.onnx"
    export_detector(first.eval(), file)
    values = {"sha256": sha256_of(file), "task": "detector", "labels": (), "input_size": 64}
    Manifest(path=file, name="first", version="0", **values).save()
    pictures = {"landmarks68": [picture(1), picture(2)]}
    same = DetectorTrainer(config(), pictures, tmp_path / "same", start=file).network
    blank = torch.rand(1, 1, 64, 64) * 255
    with torch.no_grad():
        wanted, given = first(blank), same.eval()(blank)
    torch.testing.assert_close(given.logits, wanted.logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(given.boxes, wanted.boxes, atol=1e-2, rtol=1e-3)
    deeper = config(network={**SMALL, "blocks": [1, 2, 0, 1], "refined": 2})
    more = DetectorTrainer(deeper, pictures, tmp_path / "more", start=file).network
    with torch.no_grad():
        assert 0 < (more.eval()(blank).logits - wanted.logits).abs().max() < 0.5
    wider = config(network={**SMALL, "neck": 16})
    with pytest.raises(ConfigError, match=r"first\.onnx holds another network"):
        DetectorTrainer(wider, pictures, tmp_path / "wider", start=file)


def test_a_run_that_goes_on_may_have_more_blocks_and_frozen_parts(tmp_path: Path) -> None:
    first = train(tmp_path / "first").average.network
    deeper = {**SMALL, "blocks": [0, 2, 0, 1], "refined": 1}
    how = config(network=deeper, frozen=("stem",))
    pictures = {"landmarks68": [picture(1), picture(2)]}
    second = DetectorTrainer(how, pictures, tmp_path / "on", workers=0, start=tmp_path / "first")
    known, begun = first.state_dict(), second.network.state_dict()
    assert {k.rsplit(".", 2)[0] for k in set(begun) - set(known)} == {
        "stages.1.2.body",
        "refined.0.body",
    }
    for name, value in known.items():
        torch.testing.assert_close(begun[name], value)
    picture_ = torch.rand(1, 1, 64, 64) * 255
    before, after = (n.eval()(picture_).logits for n in (first, second.average.network))
    assert 0 < (before - after).abs().max() < 0.5
    trained = second.run().state_dict()
    kept = [n for n, v in known.items() if torch.equal(trained[n], v)]
    assert set(kept) == {n for n in known if n.startswith("stem.")}
    with pytest.raises(ConfigError, match="another network"):  # a run's own network must be whole
        load_averaged(how, tmp_path / "first")


def test_steps_on_one_batch_lead_to_its_boxes(tmp_path: Path) -> None:
    """Loss, targets and decoding agree: what is shown again and again is learned."""
    trainer = DetectorTrainer(
        config(network={}, learning_rate=0.003), {"landmarks68": [picture(1)]}, tmp_path
    )
    data = DetectorData(trainer.composer, trainer.config.camera, 4, 1, 0)
    batch = default_collate([data[i] for i in range(4)])
    trainer.network.train()
    logs = [trainer._step(batch) for _ in range(60)]
    for term in ("score", "box", "points"):
        assert logs[-1][term] < 0.5 * logs[0][term]


@pytest.mark.parametrize("text", ["size: [", "name: x", "task: emotions", "colour: red"])
def test_wrong_configurations_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    lines = RECIPE.read_text().replace("base: ", f"base: {RECIPE.parent}/")
    path.write_text(text if text in ("size: [", "name: x") else f"{lines}\n{text}\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        load_detector_config(path)


@pytest.mark.parametrize("shape", [(64, 96), (128, 32)])
def test_the_exported_file_equals_the_network_at_any_size(tmp_path: Path, shape) -> None:
    network = train(tmp_path / "run").average.network
    path = tmp_path / "small.onnx"
    export_detector(network, path, threshold=0.3)
    gray = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    finish_manifest(path)
    answers = DetectorNetwork(path, threads=1)(gray)
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(gray)[None, None].float())
    np.testing.assert_allclose(answers.boxes, found.boxes[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(answers.points, found.points[0], rtol=1e-3, atol=1e-3)
    moved = np.log(answers.scores / (1 - answers.scores)) - found.logits[0].numpy()
    expected = np.log(USUAL_THRESHOLD / (1 - USUAL_THRESHOLD)) - np.log(0.3 / 0.7)
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def finish_manifest(path: Path) -> None:
    from edan_ros.engines.manifest import Manifest, sha256_of

    Manifest(
        path=path,
        name=path.stem,
        version="1",
        sha256=sha256_of(path),
        input_size=64,
        task="detector",
        labels=(),
    ).save()


def test_a_run_is_finished_with_its_manifest(tmp_path: Path, monkeypatch) -> None:
    from edan_ros.training.detector import export as detector_export

    with pytest.raises(ConfigError, match="holds no checkpoint"):
        load_averaged(config(), tmp_path)
    train(tmp_path / "run")
    monkeypatch.setattr(detector_export, "load_detector_config", lambda _path: config())
    monkeypatch.setattr(detector_export, "measure", lambda *_: {"recall": 0.5})
    manifest = finish_detector(RECIPE, tmp_path / "run", tmp_path, tmp_path / "to")
    assert load_manifest(manifest.path, "detector") == manifest
    assert manifest.terms == config().terms != ""
    assert manifest.metrics == {"recall": 0.5}
    command = manifest.training["command"]
    assert command.startswith("edan train detector-base.yaml --data DATA --out detector-base && ")
    assert command.endswith(" detector --data DATA --to to")
    assert manifest.parameters == sum(
        p.numel() for p in load_averaged(config(), tmp_path / "run").parameters()
    )
