"""Small but complete training runs: learning, starting points, configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from random_network import need_torchvision  # noqa: E402
from small_training import CONFIG, run, same, write  # noqa: E402

from edan_ros.networks.base import NetworkOutput  # noqa: E402
from edan_ros.networks.registry import DEFAULT, NETWORKS, create_network  # noqa: E402
from edan_ros.training.common.checkpoints import load_average, load_mean  # noqa: E402
from edan_ros.training.common.config import ConfigError  # noqa: E402
from edan_ros.training.common.distributed import World  # noqa: E402
from edan_ros.training.common.run_log import read_log  # noqa: E402
from edan_ros.training.emotion.config import load_config  # noqa: E402
from edan_ros.training.emotion.export import export, make_manifest  # noqa: E402
from edan_ros.training.emotion.samples import TrainingSet  # noqa: E402
from edan_ros.training.emotion.task import check_run  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
Finished = Callable[[Path], Path]


def test_a_run_learns_and_logs_every_epoch(tmp_path: Path, finished: Finished) -> None:
    out = finished(tmp_path / "run")
    assert load_average(out / "phase1.pt").config["stages"] == 2
    log = read_log(out)
    assert [(entry["phase"], entry["epoch"]) for entry in log] == [(1, 1), (1, 2), (2, 1)]
    assert log[-1]["train_emotion"] < log[0]["train_emotion"]
    assert log[-1]["train_landmarks"] < log[0]["train_landmarks"]


def test_the_first_stage_is_frozen_while_the_second_learns(
    tmp_path: Path, finished: Finished
) -> None:
    out = finished(tmp_path / "run")
    first, both = (load_average(out / f"phase{n}.pt").state_dict() for n in (0, 1))
    for name, value in first.items():
        if name.startswith("stage1.") and "num_batches" not in name:
            assert torch.allclose(both[name], value, atol=1e-6), name


def test_a_seed_decides_everything(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    first = load_average(finished(tmp_path / "first") / "phase1.pt")
    again, other = (
        run(write(tmp_path, seed=seed), samples, tmp_path / f"seed{seed}")
        for seed in (CONFIG["seed"], 4)
    )
    assert same(first, again)
    assert not same(first, other)


def test_both_stages_learn_in_a_joint_phase(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    finished(tmp_path / "run")
    phases = [*CONFIG["phases"], {"stages": 2, "epochs": 1, "learning_rate": 0.01, "joint": True}]
    run(write(tmp_path, phases=phases), samples, tmp_path / "run")
    before, after = (load_average(tmp_path / f"run/phase{n}.pt").state_dict() for n in (1, 2))
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert "stage1.blocks.0.0.weight" in moved
    assert "stage2.blocks.0.0.weight" in moved


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind != DEFAULT])
def test_every_kind_of_network_is_trained(tmp_path: Path, samples: TrainingSet, kind: str) -> None:
    if kind in ("inception_v3", "emotionnet2", "action_units"):
        need_torchvision()
    small = {"emotionnet2": {"layers": 18}, "action_units": {"layers": 11}}.get(kind, {})
    config = write(
        tmp_path,
        network={"kind": kind, "size": 32, **small},
        phases=[{"epochs": 1, "learning_rate": 0.001}],
        optimiser={"kind": "adam", "warmup_epochs": 0.1},
        epoch_samples=16,
    )
    network = run(config, samples, tmp_path / "run")
    (log,) = read_log(tmp_path / "run")
    assert np.isfinite(log["train_total"])
    assert ("train_units" in log) == (kind == "action_units")
    assert ("train_penalty" in log) == (kind == "deep_emotion")
    assert same(load_average(tmp_path / "run/phase0.pt"), network)


def test_the_curves_have_a_line_for_every_loss(tmp_path: Path, finished: Finished) -> None:
    (path,) = finished(tmp_path / "run").glob("*.svg")
    nodes = list(ElementTree.parse(path).iter())
    texts = {node.text for node in nodes if node.tag.endswith("}text")}
    losses = {"total", "emotion", "landmarks", "landmarks, first stage", "presence"}
    assert losses < texts
    # A line per loss, and its sample in the legend.
    lines = [node for node in nodes if node.get("class") == "line"]
    assert len(lines) >= 2 * len(losses)


def test_consistency_brings_the_predictions_of_views_together(
    tmp_path: Path, samples: TrainingSet
) -> None:
    """With the term in the loss, the predictions for two views differ less than without."""

    def divergence(factor: float) -> float:
        loss = {"landmarks": 0.0, "presence": 0.0, "consistency": factor}
        config = write(tmp_path, phases=CONFIG["phases"][:1], views=2, loss=loss)
        run(config, samples, tmp_path / f"run{factor:g}")
        return read_log(tmp_path / f"run{factor:g}")[-1]["train_consistency"]

    assert divergence(20.0) < 0.8 * divergence(0.0)


def test_a_student_learns_the_predictions_of_its_teacher(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """With the teacher's term alone; the teacher is a run or a file."""
    teacher = load_average(finished(tmp_path / "teacher") / "phase1.pt")
    file = tmp_path / "teacher.onnx"
    export(teacher, file)
    make_manifest(teacher, file, name="teacher", version="0").save()
    for model in (tmp_path / "teacher", file):
        config = write(
            tmp_path,
            network={"size": 48, "width": 0.125},
            loss={"emotion": 0.0, "landmarks": 0.0, "presence": 0.0},
            teacher={"model": str(model), "weight": 2.0},
        )
        out = tmp_path / f"student-{model.suffix}"
        run(config, samples, out)
        terms = [entry["train_teacher"] for entry in read_log(out)]
        assert terms[-1] < 0.9 * terms[0]


def test_a_run_starts_from_a_model_file(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """Before the first step it predicts what the model does; then the second stage learns."""
    model = load_average(finished(tmp_path / "first") / "phase1.pt")
    file = tmp_path / "first.onnx"
    export(model, file)
    make_manifest(model, file, name="first", version="0").save()
    crops = torch.rand(8, 1, 32, 32) * 255
    wanted = model(crops)

    def trained(epochs: int) -> NetworkOutput:
        phases = [{"stages": 2, "epochs": epochs, "learning_rate": 0.01}]
        config = write(tmp_path, phases=phases)
        return run(config, samples, tmp_path / f"run{epochs}", start=file)(crops)

    begun, learned = trained(0), trained(1)
    for name in ("logits", "landmarks", "presence"):
        torch.testing.assert_close(
            getattr(begun, name), getattr(wanted, name), atol=1e-3, rtol=1e-3
        )
    torch.testing.assert_close(learned.stages[0], wanted.stages[0], atol=1e-3, rtol=1e-3)
    assert (learned.logits - wanted.logits).abs().max() > 0.05
    wide = write(tmp_path, network={"size": 32, "width": 0.25})
    with pytest.raises(ConfigError, match="phase 1 cannot start: the network has no stage1"):
        run(wide, samples, tmp_path / "wide", start=file)


def test_a_teacher_of_other_classes_is_refused(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    finished(tmp_path / "teacher")
    config = write(
        tmp_path,
        network={"size": 32, "width": 0.125, "classes": 3},
        teacher={"model": str(tmp_path / "teacher")},
    )
    with pytest.raises(ConfigError, match="has 7 classes, the network 3"):
        run(config, samples, tmp_path / "run")


def test_a_backbone_starts_from_a_file(tmp_path: Path, samples: TrainingSet) -> None:
    """One epoch with a tiny learning rate changes the running statistics alone."""
    need_torchvision()
    network = create_network(kind="emotionnet2", size=32, layers=18)
    state = network.backbone.state_dict()
    state["conv1.weight"] = state["conv1.weight"].repeat(1, 3, 1, 1) / 3
    torch.save(state, tmp_path / "resnet18.pth")
    options = {
        "network": {"kind": "emotionnet2", "size": 32, "layers": 18},
        "phases": [{"epochs": 1, "learning_rate": 1e-9}],
        "epoch_samples": 8,
    }
    config = write(tmp_path, backbone=str(tmp_path / "resnet18.pth"), **options)
    trained = run(config, samples, tmp_path / "run").backbone
    weight = network.backbone.layer4[0].conv1.weight
    assert torch.allclose(trained.layer4[0].conv1.weight, weight, atol=1e-3)
    (tmp_path / "text.pth").write_text("no weights")
    for name, message in (("none.pth", "there is no file"), ("text.pth", "holds no weights")):
        config = write(tmp_path, backbone=str(tmp_path / name), **options)
        with pytest.raises(ConfigError, match=message):
            run(config, samples, tmp_path / "other")


def test_a_wide_network_starts_from_the_function_of_a_narrow_one(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    narrow = load_average(finished(tmp_path / "narrow") / "phase1.pt")
    still = [{"stages": n, "epochs": 1, "learning_rate": 1e-9} for n in (1, 2)]
    config = write(tmp_path, network={"size": 32, "width": 0.25}, phases=still)
    wide = run(config, samples, tmp_path / "wide", start=tmp_path / "narrow")
    crops = torch.rand(4, 1, 32, 32) * 255
    with torch.no_grad():
        before, after = narrow(crops), wide(crops)
    assert wide.config["width"] == 0.25
    # Running means move during the epoch, however small the rate.
    assert (after.landmarks - before.landmarks).abs().max() < 1.0


def test_a_run_starts_from_a_run_of_the_same_network(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """It starts with the averaged weights; training the second stage keeps the first."""
    before = load_average(finished(tmp_path / "first") / "phase1.pt")
    second = [{"stages": 2, "epochs": 1, "learning_rate": 0.01}]
    config = write(tmp_path, phases=second)
    after = run(config, samples, tmp_path / "second", start=tmp_path / "first")
    mean = load_mean([tmp_path / "second", tmp_path / "first"])
    assert not mean.training
    for name, value in before.state_dict().items():
        other = after.state_dict()[name]
        same = torch.equal(value, other)
        assert same == name.startswith("stage1."), name
        if value.is_floating_point():
            torch.testing.assert_close(mean.state_dict()[name], (value + other) / 2)


def test_different_networks_cannot_be_averaged(tmp_path: Path, finished: Finished) -> None:
    finished(tmp_path / "one")
    (finished(tmp_path / "other") / "phase1.pt").unlink()  # one stage is left
    with pytest.raises(ConfigError, match=r"the networks of .*other and .*one differ"):
        load_mean([tmp_path / "one", tmp_path / "other"])


def test_a_run_that_needs_a_start_asks_for_it(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, start="narrow.yaml"))
    with pytest.raises(ConfigError, match=r"a run of narrow\.yaml.*--start"):
        check_run(config, tmp_path / "run", None, World(torch.device("cpu")))


def test_a_start_that_does_not_exist_is_named(tmp_path: Path, samples: TrainingSet) -> None:
    config, missing = write(tmp_path), tmp_path / "none"
    with pytest.raises(ConfigError, match="none is neither the folder of a run nor a model"):
        check_run(load_config(config), tmp_path / "run", missing, World(torch.device("cpu")))
    with pytest.raises(ConfigError, match="none is neither the folder of a run nor a model"):
        run(config, samples, tmp_path / "run", start=missing)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phases": []}, "phases is empty"),
        ({"loss": {"landmark": 1}}, "unknown entry landmark"),
        ({"colour": True}, "unknown entry colour"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ({"optimiser": {"kind": "lion"}}, "optimiser: kind is 'lion'"),
        ({"network": {"kind": "vgg"}}, "unknown network 'vgg'"),
        ({"network": {"size": 33}}, "multiple of 16"),
        ({"teacher": {"path": "x"}}, "unknown entry path"),
        ({"views": 0}, "views is 0"),
        ({"loss": {"consistency": 1.0}}, "consistency needs views: 2"),
    ],
)
def test_wrong_configurations_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, **changes))


def test_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "none.yaml")


def test_a_configuration_is_merged_into_its_base(tmp_path: Path) -> None:
    """Mappings are merged, entries without a value are removed, others are replaced."""
    write(tmp_path, loss={"emotion": 0.5, "landmarks": 0.1})
    path = tmp_path / "other.yaml"
    path.write_text(
        "base: tiny.yaml\nname: other\nloss: {landmarks: 0.2}\n"
        "network: {kind: cnn2, width:}\nphases: [{epochs: 1, learning_rate: 0.1}]\n"
    )
    config = load_config(path)
    assert (config.name, config.seed, len(config.phases)) == ("other", 3, 1)
    assert (config.loss.emotion, config.loss.landmarks) == (0.5, 0.2)
    assert config.network == {"kind": "cnn2", "size": 32}
