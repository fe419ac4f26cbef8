"""Lines of JSON become a recording; what is damaged is skipped and noted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import BEGIN, SECOND, face, line, smile, write_lines

from edan_ros.core.emotions import valence_arousal
from edan_ros.recording.run_info import RunInfo, write_run_info
from edan_ros.report.figures import person_figures, stream_figures
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import LABELS
from edan_ros.sources import SourceError


def test_people_times_labels_and_latency(tmp_path: Path) -> None:
    recording = read_lines(smile(tmp_path / "faces.jsonl"))
    assert recording.begin_ns == BEGIN * SECOND
    assert recording.seconds == pytest.approx(3.9)
    (stream,) = recording.streams
    np.testing.assert_allclose(stream.times, np.arange(40) / 10, atol=1e-6)
    assert (stream.latency_ms == 20.0).all()
    assert stream.faces.tolist() == [2 if 10 <= i < 20 else 1 for i in range(40)]
    first, second = stream.tracks
    assert (first.number, len(first.times), second.number, len(second.times)) == (1, 40, 2, 10)
    assert [LABELS[i] for i in first.labels] == ["neutral"] * 20 + ["happy"] * 20
    assert first.probabilities[0].argmax() == 0
    valence, arousal = valence_arousal(np.array(face("sad")["probabilities"]))
    np.testing.assert_allclose(second.valence, valence, atol=1e-6)
    np.testing.assert_allclose(second.arousal, arousal, atol=1e-6)
    assert second.landmarks.shape == (10, 68, 2)
    assert not recording.notes


def test_lines_out_of_order_are_sorted_and_repetitions_dropped(tmp_path: Path) -> None:
    lines = [line(0.2, face("sad")), line(0.0, face()), line(0.1, face()), line(0.1, face())]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    np.testing.assert_allclose(recording.streams[0].times, [0.0, 0.1, 0.2], atol=1e-6)
    assert [LABELS[i] for i in recording.streams[0].tracks[0].labels] == ["happy", "happy", "sad"]
    assert recording.notes == ["1 result(s) with a repeated stamp were left out."]


@pytest.mark.parametrize(
    ("jump", "text"),
    [(25_200.0, "ahead by 7 h 0 min"), (-3600.0, "back by 1 h 0 min"), (5e6, "ahead by 58 days")],
)
def test_segments_follow_one_another_where_stamps_jump(
    tmp_path: Path, jump: float, text: str
) -> None:
    lines = [
        line(i / 10 + (jump if i >= 10 else 0.0), face("happy" if i < 10 else "sad"))
        for i in range(20)
    ]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    (stream,) = recording.streams
    expected = [i / 10 + (0.9 if i >= 10 else 0.0) for i in range(20)]
    np.testing.assert_allclose(stream.times, expected, atol=1e-5)
    assert recording.seconds == pytest.approx(2.8)
    (note,) = recording.notes
    assert note == f"The stamps jump {text}: a new segment begins."
    (track,) = stream.tracks
    assert [LABELS[i] for i in track.labels] == ["happy"] * 10 + ["sad"] * 10
    assert [(run.start, run.stop) for run in track.runs(stream.interval)] == [(0, 10), (10, 20)]
    assert stream_figures(stream).missing == 0
    assert person_figures(track, stream.interval).seconds == pytest.approx(2.0)


def test_images_usually_far_apart_keep_their_times(tmp_path: Path) -> None:
    lines = [line(600.0 * i, face()) for i in range(20)]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    np.testing.assert_allclose(recording.streams[0].times, [600.0 * i for i in range(20)])
    assert recording.notes == []


def test_valence_and_arousal_of_the_lines_are_kept(tmp_path: Path) -> None:
    lines = [line(0.0, {**face(), "valence": -0.25, "arousal": None})]
    (track,) = read_lines(write_lines(tmp_path / "faces.jsonl", lines)).streams[0].tracks
    assert track.valence[0] == -0.25
    assert np.isnan(track.arousal[0])


def test_a_run_that_was_killed_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = smile(tmp_path / "faces.jsonl")
    path.write_bytes(path.read_bytes()[:-200])
    recording = read_lines(path)
    assert len(recording.streams[0].times) == 39
    assert recording.notes == ["1 line(s) could not be read, the first: line 40: not JSON."]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"label": "bored"}, "unknown label 'bored'"),
        ({"track_id": -1}, "track_id is not a number from 0 up"),
        ({"track_id": True}, "track_id is not a number from 0 up"),
        ({"probabilities": [0.5] * 6}, "probabilities is not a list of 7 numbers"),
        ({"probabilities": [2.0] + [0.0] * 6}, "probabilities are not between 0 and 1"),
        ({"probabilities": [float("nan")] * 7}, "probabilities is not a number"),
        ({"roi": None}, "roi is not a list of 4 numbers"),
        ({"landmarks": [[1, 2]]}, "landmarks are not 68 points"),
        ({"landmarks": "here"}, "landmarks are not 68 points"),
    ],
)
def test_a_malformed_face_is_refused(tmp_path: Path, change: dict, why: str) -> None:
    lines = [line(0.0, face()), line(0.1, face() | change)]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    assert recording.notes == [f"1 line(s) could not be read, the first: line 2: {why}."]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("hello\n", "line 1: not JSON"),
        ("[1, 2]\n", "line 1: not a result"),
        (json.dumps({"stamp": "now", "faces": []}), "line 1: stamp is not a number"),
        (json.dumps({"stamp": 1.0, "faces": 3}), "line 1: faces is not a list"),
        ("[" * 100_000, "line 1: "),
    ],
)
def test_no_results_at_all(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_text(text)
    with pytest.raises(SourceError, match="has no results") as error:
        read_lines(path)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(SourceError, match="has no results"):
        read_lines(path)


def test_the_page_shows_model_and_settings(tmp_path: Path) -> None:
    path = smile(tmp_path / "faces.jsonl")
    write_run_info(tmp_path, RunInfo({"name": "edan-lite"}, {"source": "a.mp4"}))
    recording = read_lines(path)
    assert (recording.model, recording.settings) == ({"name": "edan-lite"}, {"source": "a.mp4"})
    (tmp_path / "run.json").write_text("[]")
    assert read_lines(path).model == {}
