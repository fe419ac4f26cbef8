from __future__ import annotations

import numpy as np
import pytest
from results import face, result

from edan_ros.core.faces import FrameResult
from edan_ros.recording.contact_sheet import TILES, ContactSheet

SIZE = (480, 640, 3)


def frame(level: int) -> np.ndarray:
    return np.full(SIZE, level, np.uint8)


def levels(sheet: np.ndarray | None, columns: int, rows: int) -> list[int]:
    """The grey level in the middle of each tile, row by row."""
    assert sheet is not None
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    return [
        int(sheet[height * row + height // 2, width * column + width // 2, 0])
        for row in range(rows)
        for column in range(columns)
    ]


def run(scenes: list[tuple[FrameResult, int]], rate: float = 25.0) -> ContactSheet:
    moments = ContactSheet()
    for number, (found, level) in enumerate(scenes):
        moments.add(number / rate, frame(level), found)
    return moments


def test_every_label_is_shown_in_the_order_of_time() -> None:
    labels = ["surprise", "neutral", "happy", "sad", "fear", "anger"]
    scenes = [
        (result(face(1, label)), 40 * (i + 1)) for i, label in enumerate(labels) for _ in range(50)
    ]
    assert levels(run(scenes).sheet(), 3, 2) == [40, 80, 120, 160, 200, 240]


def test_the_most_confident_image_of_a_label_is_taken() -> None:
    scenes = [(result(face(1, "happy", 0.5)), 50)] * 40
    scenes += [(result(face(1, "happy", 0.99)), 90)]
    scenes += [(result(face(1, "happy", 0.6)), 50)] * 40
    assert 90 in levels(run(scenes).sheet(), 3, 2)


def test_several_people_are_shown() -> None:
    scenes = [(result(face(1, "happy", 0.99)), 50)] * 100
    scenes += [(result(face(1), face(2, "happy", 0.4)), 90)] * 3
    scenes += [(result(face(1, "happy", 0.99)), 50)] * 100
    assert 90 in levels(run(scenes).sheet(), 3, 2)


def test_without_faces_moments_are_spread_over_time() -> None:
    scenes = [(result(), number // 5) for number in range(1000)]
    shown = levels(run(scenes).sheet(), 3, 2)
    assert len(set(shown)) == TILES
    assert shown == sorted(shown)
    assert shown[0] < 20
    assert shown[-1] > 170


def test_one_frame_makes_a_sheet_of_one() -> None:
    sheet = run([(result(), 77)]).sheet()
    assert sheet is not None
    assert sheet.shape[1] < 600
    assert levels(sheet, 1, 1) == [77]


def test_clear_faces_are_preferred_to_those_at_the_border() -> None:
    clear, cut = face(1, "happy", 0.9), face(1, "happy", 0.9)
    cut.landmarks = cut.landmarks - np.float32([float(cut.landmarks[:, 0].mean()), 0])
    scenes = [(result(clear), 90)] * 200 + [(result(cut), 50)] * 200
    assert set(levels(run(scenes).sheet(), 3, 2)) == {90}


@pytest.mark.parametrize(
    ("shots", "columns", "rows"), [(2, 2, 1), (3, 3, 1), (4, 2, 2), (5, 2, 2), (6, 3, 2), (9, 3, 2)]
)
def test_no_tile_of_a_sheet_is_empty(shots: int, columns: int, rows: int) -> None:
    scenes = [(result(), 100 + number) for number in range(shots)]
    sheet = run(scenes, rate=2.0).sheet()
    assert sheet is not None
    assert sheet.shape[1] == columns * 566 + 6
    assert min(levels(sheet, columns, rows)) >= 100


def test_without_a_frame_no_sheet_is_written() -> None:
    assert ContactSheet().sheet() is None
