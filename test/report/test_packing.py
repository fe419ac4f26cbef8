"""What goes into a page comes out again; long recordings lose no change."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from recordings import face, line, smile, write_lines

from edan_ros.report import packing
from edan_ros.report.figures import stream_figures
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import LABELS, Recording
from edan_ros.report.video import Video


def packed(recording: Recording) -> dict:
    figures = [stream_figures(stream) for stream in recording.streams]
    return packing.page_data(recording, figures, [s.tracks for s in recording.streams])


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_a_track_survives_packing(tmp_path: Path) -> None:
    recording = read_lines(smile(tmp_path / "faces.jsonl"))
    (stream,) = packed(recording)["streams"]
    first, track = recording.streams[0].tracks[0], stream["tracks"][0]
    np.testing.assert_allclose(unpacked(track["t"], "<u4") / 1000, first.times, atol=6e-4)
    assert (unpacked(track["l"], "u1") == first.labels).all()
    shares = unpacked(track["p"], "u1").reshape(-1, 7) / 255
    np.testing.assert_allclose(shares, first.probabilities, atol=0.51 / 255)
    affect = unpacked(track["a"], "i1").reshape(-1, 2) / 127
    np.testing.assert_allclose(affect[:, 0], first.valence, atol=0.51 / 127)
    np.testing.assert_allclose(affect[:, 1], first.arousal, atol=0.51 / 127)
    assert (unpacked(stream["latency"], "<u2") == 200).all()


def test_boxes_of_all_tracks_are_packed_with_a_video(tmp_path: Path) -> None:
    lines = [line(i / 10, face(track_id=1), *([face(track_id=2)] * (i < 9))) for i in range(50)]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    first, second = recording.streams[0].tracks
    figures = [stream_figures(recording.streams[0])]
    videos = {0: Video(tmp_path / "a.mp4", -0.5, 160, 120)}
    (stream,) = packing.page_data(recording, figures, [[first]], videos)["streams"]
    assert stream["video"] == {"begin": -0.5, "width": 160, "height": 120, "reach": 0.15}
    assert [(t["number"], t["short"]) for t in stream["others"]] == [(second.number, True)]
    for track in (*stream["tracks"], *stream["others"]):
        boxes = unpacked(track["b"], "<i2").reshape(-1, 4) / 16_384 * [160, 120, 160, 120]
        np.testing.assert_allclose(boxes, np.tile([30, 20, 40, 40], (len(boxes), 1)), atol=0.01)
    (plain,) = packing.page_data(recording, figures, [[second]])["streams"]
    assert plain["others"] == [], "a long track without curves is not needed without a video"
    assert "b" not in plain["tracks"][0]


def test_unknown_values_stay_unknown(tmp_path: Path) -> None:
    lines = [line(0.0, face(), latency_ms=None), line(0.1, latency_ms=90_000.0)]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    recording.streams[0].tracks[0].valence[:] = np.nan
    (stream,) = packed(recording)["streams"]
    assert unpacked(stream["latency"], "<u2").tolist() == [65_535, 65_534]
    assert unpacked(stream["tracks"][0]["a"], "i1")[0] == -128


def test_a_recording_of_months_fits_the_numbers_of_the_page(tmp_path: Path) -> None:
    """One image every two hours: more than 32 bits of milliseconds, and no jump of the stamps."""
    lines = [line(7200.0 * i, face()) for i in range(900)]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    data = packed(recording)
    times = unpacked(data["streams"][0]["t"], "<u4").astype(float) * data["tick"] / 1000
    assert data["tick"] == 2
    np.testing.assert_allclose(times, [7200.0 * i for i in range(900)], atol=2e-3)


def test_polarity_of_each_emotion(tmp_path: Path) -> None:
    data = packed(read_lines(smile(tmp_path / "faces.jsonl")))
    polarities = {
        label: data["polarities"][i] for label, i in zip(LABELS, data["polarityOf"], strict=False)
    }
    assert polarities["happy"] == "positive"
    assert polarities["neutral"] == "neutral"
    assert {polarities[name] for name in ("sad", "fear", "disgust", "anger")} == {"negative"}


def test_long_recordings_are_joined_between_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["happy"] * 45 + ["sad"] + ["happy"] * 54
    lines = [
        line(i / 10, face(label, share=0.5 + 0.4 * (i % 2)), latency_ms=500.0 if i == 33 else 20.0)
        for i, label in enumerate(labels)
    ]
    recording = read_lines(write_lines(tmp_path / "faces.jsonl", lines))
    monkeypatch.setattr(packing, "MAX_ROWS", 10)
    (stream,) = packed(recording)["streams"]
    track = stream["tracks"][0]
    times, codes = unpacked(track["t"], "<u4"), unpacked(track["l"], "u1")
    assert len(times) <= 14
    happy, sad = LABELS.index("happy"), LABELS.index("sad")
    changes = np.flatnonzero(np.diff(codes))
    assert [(times[i + 1], codes[i + 1]) for i in changes] == [(4500, sad), (4600, happy)]
    shares = unpacked(track["p"], "u1").reshape(-1, 7)[:, happy] / 255
    assert shares[0] == pytest.approx(0.7, abs=0.01), "the mean of those joined"
    assert unpacked(stream["latency"], "<u2").max() == 5000, "the slowest stays"
