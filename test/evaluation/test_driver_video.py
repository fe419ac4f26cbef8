"""Photographs that act the scripts of a driver, on a drawn face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edan_ros.cli.main import main
from edan_ros.core.boxes import Box
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.evaluation.driver_scenarios import (
    ASLEEP,
    BOWED,
    LIZARD,
    OCCLUDED,
    OWL,
    ROAD,
    YAWNING,
    Look,
    Scenario,
)
from edan_ros.evaluation.driver_video import Actor, filmed_snapshots, is_suitable
from edan_ros.evaluation.head_rotation import rotate_head

LANDMARKS = MEAN_SHAPE * 150.0 + (200.0, 210.0)


@pytest.fixture(scope="module")
def actor() -> Actor:
    noise = np.random.default_rng(0).integers(60, 200, (400, 400, 3))
    return Actor(noise.astype(np.uint8), LANDMARKS)


def rendered(actor: Actor, look: Look, night: bool = False) -> np.ndarray:
    return actor.render(look, night=night, rng=np.random.default_rng(1)).astype(int)


def changed(actor: Actor, look: Look) -> np.ndarray:
    """Return the mask of the pixels in which a look differs from one at the road."""
    return (np.abs(rendered(actor, look) - rendered(actor, ROAD)) > 12).any(axis=2)


def region(actor: Actor, points: slice, margin: float) -> tuple[slice, slice]:
    box = Box.from_landmarks(actor.landmarks[points])
    x, y = int(box.x - margin), int(box.y - margin)
    return slice(y, int(y + box.height + 2 * margin)), slice(x, int(x + box.width + 2 * margin))


def test_the_face_stands_in_the_drivers_seat(actor: Actor) -> None:
    box = Box.from_landmarks(actor.landmarks)
    assert box.height == pytest.approx(200.0)
    assert 320 < box.center[0] < 400


@pytest.mark.parametrize("look", [ASLEEP, LIZARD])
def test_lids_and_irises_move_and_nothing_else(actor: Actor, look: Look) -> None:
    mask = changed(actor, look)
    for eye in (slice(36, 42), slice(42, 48)):
        window = region(actor, eye, 1.0)
        assert mask[window].mean() > 0.1
    rest = mask.copy()
    for part in (slice(17, 48), slice(36, 48)):
        rest[region(actor, part, 12.0)] = False
    assert not rest.any()


def test_a_yawn_opens_the_mouth_by_its_fraction_of_the_width(actor: Actor) -> None:
    image = rendered(actor, YAWNING)
    dark = (np.abs(image - (25, 15, 45)) < 10).all(axis=2)
    rows, columns = np.nonzero(dark)
    width = actor.landmarks[54, 0] - actor.landmarks[48, 0]
    assert np.ptp(rows) == pytest.approx(0.8 * width, rel=0.15)
    assert np.ptp(columns) == pytest.approx(width, rel=0.15)


def test_sunglasses_cover_both_eyes(actor: Actor) -> None:
    image = rendered(actor, Look(quality=OCCLUDED))
    for eye in (slice(36, 42), slice(42, 48)):
        assert image[region(actor, eye, 0.0)].mean() < 30


def test_a_head_turns_and_an_empty_seat_is_empty(actor: Actor) -> None:
    assert changed(actor, OWL).mean() > 0.1
    assert changed(actor, BOWED).mean() > 0.1
    empty = rendered(actor, Look(present=False))
    assert np.abs(empty - 110).max() < 12
    assert rendered(actor, ROAD, night=True).mean() < 0.3 * rendered(actor, ROAD).mean()


def test_only_faces_towards_the_camera_are_suitable() -> None:
    assert is_suitable(LANDMARKS)
    turned = rotate_head(np.zeros((400, 400), np.uint8), LANDMARKS, 30.0, 0.0)[1]
    assert not is_suitable(turned)


def test_every_image_of_a_script_is_tracked(actor: Actor) -> None:
    shapes = []

    def track(images: Iterator[tuple[float, Any]]) -> Iterator[tuple[float, list[Any]]]:
        for stamp, pixels in images:
            shapes.append(pixels.shape)
            yield stamp, []

    scenario = Scenario("short", "", ((0.5, ROAD), (0.5, ASLEEP)))
    filmed = list(filmed_snapshots(scenario, actor, track))
    assert [time for time, _ in filmed] == pytest.approx([0.1 * i for i in range(10)])
    assert set(shapes) == {(480, 640, 3)}
    assert all(snapshot.faces == () for _, snapshot in filmed)


def test_a_video_needs_photographs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edan_ros.evaluation.driver.evaluate_traces", lambda: iter(()))
    with pytest.raises(SystemExit):
        main(["evaluate", "driver", "--video"])
    assert "needs photographs, one set or folder in --data" in capsys.readouterr().err
