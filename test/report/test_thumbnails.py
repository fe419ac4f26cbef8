"""Thumbnails at the changes: their moment, their place, and their privacy."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import face, line, smile, write_lines

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import FaceFinder
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import Recording
from edan_ros.report.thumbnails import MAX_PER_PERSON, Thumbnail, faces_at, make_thumbnails
from edan_ros.sources.base import Frame

FACE = np.array((30, 40, 220))


def frames(count: int = 40, rate: float = 10.0) -> Iterator[Frame]:
    """A red face with two dark eyes at (30, 20) on blue; its green grows with time."""
    for i in range(count):
        pixels = np.full((120, 160, 3), (200, 0, 0), np.uint8)
        pixels[20:60, 30:70] = FACE
        pixels[20:60, 30:70, 1] = min(2 * i, 255)
        cv2.circle(pixels, (42, 35), 3, (0, 0, 0), -1)
        cv2.circle(pixels, (58, 35), 3, (0, 0, 0), -1)
        yield Frame(Image(pixels, "bgr"), i / rate)


def pixels_of(thumbnail: Thumbnail) -> np.ndarray:
    data = base64.b64decode(thumbnail.uri.removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return read_lines(smile(tmp_path / "faces.jsonl"))


def test_each_run_has_one_image_at_its_time_and_place(recording: Recording) -> None:
    made = make_thumbnails(recording, {0: frames()})
    assert {key: [t.label for t in of] for key, of in made.items()} == {
        (0, 1): ["neutral", "happy"],
        (0, 2): ["sad"],
    }
    for thumbnail in made[0, 1]:
        drawn = pixels_of(thumbnail)
        assert drawn.shape == (112, 112, 3)
        green = drawn[80:90, 50:60, 1].mean()
        assert green == pytest.approx(2 * 10 * thumbnail.time, abs=6)
        assert drawn[5, 5, 0] > 150, "the thumbnail is larger than the face"


def test_a_source_of_another_rate_is_matched_by_time(recording: Recording) -> None:
    made = make_thumbnails(recording, {0: frames(120, 30.0)})
    assert len(made[0, 1]) == 2


def test_moments_missing_in_the_source_are_left_out(recording: Recording) -> None:
    made = make_thumbnails(recording, {0: frames(15)})
    assert {key: len(of) for key, of in made.items()} == {(0, 1): 1, (0, 2): 1}
    assert make_thumbnails(recording, {0: iter(())}) == {}


@pytest.mark.parametrize("privacy", ["blur", "landmarks-only"])
def test_no_face_can_be_recognised(recording: Recording, privacy: str) -> None:
    plain = pixels_of(make_thumbnails(recording, {0: frames()})[0, 1][0])
    hidden = pixels_of(make_thumbnails(recording, {0: frames()}, privacy)[0, 1][0])
    # The eyes are the only dark places of the face.
    assert plain[30:80, 25:90].max(axis=2).min() < 60
    if privacy == "blur":
        assert hidden[30:80, 25:90].max(axis=2).min() > 90
    else:
        assert np.ptp(hidden.astype(int), axis=2).max() < 12, "no colour is left"
        assert hidden.max() > 200, "the landmarks are there"


def test_faces_without_a_result_are_blurred_too(recording: Recording) -> None:
    def with_another(_: Image) -> list[Detection]:
        return [Detection(Box(70, 56, 14, 14), 0.3)]

    def beside() -> Iterator[Frame]:
        for frame in frames():
            frame.image.pixels[56:70, 70:84:2] = 255
            yield frame

    def contrast(find: FaceFinder | None) -> float:
        thumbnail = make_thumbnails(recording, {0: beside()}, "blur", find)[0, 1][0]
        stripes = pixels_of(thumbnail)[90:108, 93:111, 1].astype(float)
        return float(np.abs(np.diff(stripes, axis=1)).mean())

    assert contrast(with_another) < 0.3 * contrast(None)


def test_every_face_of_single_images_is_shown(tmp_path: Path) -> None:
    """Images are found by their names, in whatever order the source has them."""
    far = face("sad", 0) | {"roi": [90, 60, 40, 40]}
    records = [
        {"file": "b.jpg", "stamp": None, "faces": [face("happy", 0), far]},
        {"file": "empty.jpg", "stamp": None, "faces": []},
        {"file": "a.jpg", "stamp": None, "faces": [face("unknown", 0)]},
    ]
    path = write_lines(tmp_path / "faces.jsonl", [json.dumps(record) for record in records])
    recording = read_lines(path)

    def named() -> Iterator[Frame]:
        for name, frame in zip(("a.jpg", "b.jpg", "c.jpg", "empty.jpg"), frames(), strict=False):
            frame.image.pixels[60:100, 90:130, 1] = 255
            yield replace(frame, name=name)

    made = make_thumbnails(recording, {0: named()})
    labels = {key: [thumbnail.label for thumbnail in of] for key, of in made.items()}
    assert labels == {(0, 2): ["unknown"], (0, 0): ["happy", "sad"]}
    near, far_off = (pixels_of(thumbnail)[56, 56] for thumbnail in made[0, 0])
    assert near[2] > 150 > near[1], "the red face"
    assert far_off[1] > 150 > far_off[2], "the green place"
    found = [detection for detection, _ in faces_at(recording.streams[0], 0.0, 1e-6)]
    assert [detection.box.x for detection in found] == [30, 90], "both are hidden"


def test_not_more_than_a_page_can_carry(tmp_path: Path) -> None:
    labels = ["happy", "sad"] * (MAX_PER_PERSON + 6)
    lines = [line(i / 10, face(labels[i // 6])) for i in range(6 * len(labels))]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    made = make_thumbnails(recording, {0: frames(6 * len(labels))})
    assert len(made[0, 1]) == MAX_PER_PERSON
    times = [thumbnail.time for thumbnail in made[0, 1]]
    assert times == sorted(times)
