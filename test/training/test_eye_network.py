"""Tests of rendered eyes, of the shipped weights on them, and of training the eye network."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edan_ros.core.eye_crops import EYE_SIZE
from edan_ros.datasets import DataError
from edan_ros.engines.eye_model import EyeModel
from edan_ros.evaluation.eyes import evaluate_eyes
from edan_ros.networks.eyes import EyeNetwork
from edan_ros.training.common.config import ConfigError
from edan_ros.training.common.trainer import Trainer
from edan_ros.training.eyes.data import (
    EyeData,
    aspect_ratios,
    close_lids,
    photographed_samples,
    rendered_samples,
)
from edan_ros.training.eyes.export import export_eyes
from edan_ros.training.eyes.rendering import GLARE, OCCLUDED, VISIBLE, render_eye
from edan_ros.training.eyes.task import EyesConfig, EyesTask, load_averaged, load_eyes_config
from edan_ros.training.eyes.teachers import STORED_SIZE

FACING = (0.0, 0.0)
RECIPE = Path(__file__).parents[2] / "config" / "train" / "eyes.yaml"


@pytest.fixture(scope="module")
def model():
    return EyeModel()


def measured(model, count=24, **options):
    """Return the prediction for eyes that are rendered at random with these options."""
    rng = np.random.default_rng(5)
    options = {"head": FACING, "eye": FACING, "quality": VISIBLE, "openness": 1.0} | options
    eyes = [render_eye(rng, EYE_SIZE, **options) for _ in range(count)]
    return model.infer(np.stack([e.image for e in eyes]), np.array([e.head for e in eyes]))


def test_the_network_has_less_than_150_000_parameters():
    assert sum(p.numel() for p in EyeNetwork().parameters()) < 150_000


@pytest.mark.parametrize(("axis", "angle"), [(0, 0.35), (0, -0.35), (1, 0.25), (1, -0.25)])
def test_gaze_of_rendered_eyes_has_the_right_sign_and_size(model, axis, angle):
    eye = (angle, 0.0) if axis == 0 else (0.0, angle)
    gaze = np.median(measured(model, eye=eye).gaze, axis=0)
    assert gaze[axis] == pytest.approx(angle, abs=0.09)
    assert abs(gaze[1 - axis]) < 0.09


def test_openness_of_rendered_eyes_follows_the_lids(model):
    medians = [np.median(measured(model, openness=o).openness) for o in (0.0, 0.3, 0.6, 1.0)]
    assert medians == pytest.approx([0.0, 0.3, 0.6, 1.0], abs=0.12)
    assert medians[0] < 0.1


@pytest.mark.parametrize("quality", [VISIBLE, GLARE, OCCLUDED])
def test_quality_of_rendered_eyes_is_recognised(model, quality):
    found = measured(model, quality=quality).quality.argmax(axis=1)
    assert (found == quality).mean() >= 0.7


def test_lids_that_are_moved_down_close_a_rendered_eye(model):
    rng = np.random.default_rng(2)
    outline = np.array(
        [[20, 24], [29, 18.5], [43, 18.5], [52, 24], [43, 29.5], [29, 29.5]], np.float32
    )
    crops = []
    for _ in range(24):
        eye = render_eye(
            rng, STORED_SIZE, head=FACING, eye=FACING, quality=VISIBLE, openness=1.0
        ).image
        crops += [close_lids(eye, outline, 0.0), close_lids(eye, outline, 1.0)]
        assert np.abs(crops[-1].astype(int) - eye).mean() < 6.0
    inner = np.stack(crops)[:, 8:40, 12:60]
    openness = model.infer(inner, np.zeros((48, 2))).openness
    assert np.median(openness[0::2]) < 0.3
    assert np.median(openness[1::2]) > 0.6


def test_rendered_eyes_depend_on_the_seed_alone():
    one, two, other = (rendered_samples(4, seed) for seed in (1, 1, 2))
    assert (one.crops == two.crops).all()
    assert not (one.crops == other.crops).all()


def test_samples_are_those_of_their_seed_and_epoch():
    samples = [rendered_samples(8, 1)]
    first, second = EyeData(samples, [1.0], 8, 3, 0), EyeData(samples, [1.0], 8, 3, 0)
    assert (first[5]["image"] == second[5]["image"]).all()
    assert not (first[5]["image"] == EyeData(samples, [1.0], 8, 3, 1)[5]["image"]).all()
    assert first[5]["image"].shape == (1, *EYE_SIZE)


def eye_set(folder, name="muxspace", count=24):
    """Write an eye set of rendered eyes whose teachers are right."""
    rng = np.random.default_rng(1)
    outline = np.array([[20, 24], [29, 18], [43, 18], [52, 24], [43, 30], [29, 30]], np.float32)
    eyes = [render_eye(rng, STORED_SIZE, head=FACING, quality=VISIBLE) for _ in range(2 * count)]
    flipped = [-1.0 if n % 2 else 1.0 for n in range(2 * count)]
    gaze = np.array([(e.gaze[0] * f, e.gaze[1]) for e, f in zip(eyes, flipped, strict=True)])
    np.savez(
        folder / f"{name}.npz",
        name=[f"{n}.jpg" for n in range(count)],
        crops=np.stack([e.image for e in eyes]).reshape(count, 2, *STORED_SIZE),
        widths=np.full((count, 2), 32.0, np.float32),
        head=np.zeros((count, 2), np.float32),
        gaze=gaze[0::2].astype(np.float32),
        open=np.array([e.openness > 0.2 for e in eyes], np.float32).reshape(count, 2),
        outline=np.broadcast_to(outline, (count, 2, 6, 2)),
    )


def test_eye_sets_are_read_without_their_held_out_tenth(tmp_path):
    eye_set(tmp_path, count=40)
    samples = photographed_samples(tmp_path / "muxspace.npz")
    assert 56 <= len(samples.crops) < 80
    assert aspect_ratios(samples.outline) == pytest.approx(12 / 32)


def test_evaluation_names_every_set_and_the_gaze_at_the_camera(tmp_path, model):
    eye_set(tmp_path, "london")
    (result,) = evaluate_eyes(model, tmp_path)
    assert (result.name, result.eyes) == ("london", 48)
    assert result.figures["agreement"] > 0.85
    assert result.figures["camera_deg"] > 0.0


def test_a_folder_without_eye_sets_is_an_error(tmp_path, model):
    with pytest.raises(DataError, match="no eye set"):
        next(evaluate_eyes(model, tmp_path))


def test_a_run_of_two_steps_is_exported_to_what_the_network_computes(tmp_path):
    config = EyesConfig("eyes", "0", 1, 16, 0.001, {"rendered": {"share": 1.0}}, batch=8)
    task = EyesTask(config, {"rendered": rendered_samples(12, 1)})
    trained = Trainer(task, tmp_path, workers=0).run().eval()
    network = load_averaged(config, tmp_path)
    export_eyes(network, tmp_path / "eyes.onnx")
    image, head = torch.rand(3, 1, *EYE_SIZE) * 255, torch.rand(3, 2)
    session = onnxruntime.InferenceSession(str(tmp_path / "eyes.onnx"))
    found = session.run(None, {"image": image.numpy(), "head": head.numpy()})
    with torch.no_grad():
        for one, two in zip(found, network(image, head), strict=True):
            assert one == pytest.approx(two.numpy(), abs=1e-4)
        assert torch.allclose(network(image, head).gaze, trained(image, head).gaze, atol=1e-5)


def test_the_recipe_of_the_shipped_weights_can_be_read(tmp_path):
    config = load_eyes_config(RECIPE)
    assert set(config.data) == {"rendered", "muxspace"}
    wrong = tmp_path / "eyes.yaml"
    wrong.write_text(RECIPE.read_text().replace("seed:", "sed:"))
    with pytest.raises(ConfigError, match="sed"):
        load_eyes_config(wrong)
