"""Bags with faces become a recording, with images, model and diagnostics from beside them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from bags_of_faces import face, faces, image, smile, write_bag

from edan_ros.report.figures import stream_figures
from edan_ros.report.from_bag import read_bag
from edan_ros.report.records import LABELS
from edan_ros.sources import SourceError


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_recorded_node(tmp_path: Path, storage: str) -> None:
    recording = read_bag(write_bag(tmp_path / "bag", smile(), storage=storage))
    (stream,) = recording.streams
    assert (stream.name, stream.image_topic) == ("/faces", "/image_raw")
    (track,) = stream.tracks
    assert [LABELS[i] for i in track.labels] == ["neutral"] * 8 + ["happy"] * 10
    assert np.isnan(track.valence).sum() == 1
    np.testing.assert_allclose(track.valence[-1], 0.5)
    np.testing.assert_allclose(stream.latency_ms, 20.0, atol=1e-3)
    assert stream.latency_of == "image recorded to faces recorded"
    assert recording.model["name"] == "edan-lite"
    assert recording.model["input size"] == "64"
    assert recording.model["selection reason"] == "requested"  # from the field of version 0.5
    assert "why" not in recording.model
    (status,) = recording.diagnostics
    assert (status.level, status.message) == ("warning", "slow: <b>")
    assert status.values == {"images_processed": "19"}
    assert not recording.notes


def test_images_without_a_result_are_counted(tmp_path: Path) -> None:
    recording = read_bag(write_bag(tmp_path / "bag", smile()))
    figures = stream_figures(recording.streams[0])
    assert figures.counted
    (gap,) = figures.gaps
    assert (gap.missing, gap.at) == (2, pytest.approx(0.7))


def test_results_that_were_written_afterwards_have_no_latency(tmp_path: Path) -> None:
    recording = read_bag(write_bag(tmp_path / "bag", smile(late=1e-6)))
    assert np.isnan(recording.streams[0].latency_ms).all()


def test_without_images_the_stamps_begin_the_latency(tmp_path: Path) -> None:
    entries = [entry for entry in smile() if entry[0] == "/faces"]
    stream = read_bag(write_bag(tmp_path / "bag", entries)).streams[0]
    np.testing.assert_allclose(stream.latency_ms, 21.0, atol=1e-3)
    assert stream.latency_of == "image stamped to faces recorded"
    assert stream_figures(stream).missing == 2


def test_two_cameras_and_the_annotated_topic(tmp_path: Path) -> None:
    entries = []
    for i in range(10):
        t = i / 10
        for name, shift in (("front", 0.0), ("cabin", 0.03)):
            entries.append((f"/{name}/image_raw", t + shift, image(t + shift)))
            entries.append((f"/{name}/faces", t + shift + 0.01, faces(t + shift, face())))
            entries.append((f"/{name}/faces/annotated", t + shift, image(t + shift)))
    recording = read_bag(write_bag(tmp_path / "bag", entries))
    topics = {stream.name: stream.image_topic for stream in recording.streams}
    assert topics == {"/front/faces": "/front/image_raw", "/cabin/faces": "/cabin/image_raw"}
    begins = {stream.name: stream.times[0] for stream in recording.streams}
    assert begins == pytest.approx({"/front/faces": 0.0, "/cabin/faces": 0.03}, abs=1e-6)


def test_definitions_of_the_package_where_the_bag_has_none(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", smile(), storage="sqlite3")
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as base:
        base.execute("DELETE FROM message_definitions")
    base.close()
    assert len(read_bag(bag).streams[0].times) == 18


def test_damaged_messages_are_left_out_and_counted(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", smile(), storage="sqlite3")
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as base:
        (topic,) = base.execute("SELECT id FROM topics WHERE name = '/faces'").fetchone()
        base.execute(
            "UPDATE messages SET data = substr(data, 1, 60) WHERE id IN "
            "(SELECT id FROM messages WHERE topic_id = ? ORDER BY id LIMIT 3)",
            (topic,),
        )
    base.close()
    recording = read_bag(bag)
    assert len(recording.streams[0].times) == 15
    assert "3 damaged message(s) were left out." in recording.notes


def test_bags_without_faces(tmp_path: Path) -> None:
    entries = [entry for entry in smile() if entry[0] == "/image_raw"]
    with pytest.raises(SourceError, match="has no topic of faces"):
        read_bag(write_bag(tmp_path / "bag", entries))
    (tmp_path / "torn.mcap").write_bytes(b"\x00" * 500)
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        read_bag(tmp_path / "torn.mcap")


def test_a_clock_that_was_set_back_begins_a_segment_for_all_topics(tmp_path: Path) -> None:
    entries: list = []
    for i in range(20):
        seconds, stamp = i / 10, i / 10 - (3600.0 if i >= 10 else 0.0)
        for topic in ("/front", "/rear"):
            entries.append((f"{topic}/image_raw", seconds, image(stamp)))
            entries.append((f"{topic}/faces", seconds + 0.02, faces(stamp, face())))
    recording = read_bag(write_bag(tmp_path / "bag", entries))
    expected = [i / 10 + (0.9 if i >= 10 else 0.0) for i in range(20)]
    for stream in recording.streams:
        np.testing.assert_allclose(stream.times, expected, atol=1e-6)
        np.testing.assert_allclose(stream.latency_ms, 20.0, atol=1e-3)
        figures = stream_figures(stream)
        assert (figures.missing, figures.counted) == (0, True)
    assert recording.notes == ["The stamps jump back by 1 h 0 min: a new segment begins."]


def test_cameras_of_different_clocks_are_shown_one_after_the_other(tmp_path: Path) -> None:
    entries: list = []
    for i in range(10):
        entries.append(("/front/faces", i / 10, faces(i / 10, face())))
        entries.append(("/rear/faces", i / 10 + 0.01, faces(i / 10 - 1.6e9, face())))
    recording = read_bag(write_bag(tmp_path / "bag", entries))
    assert recording.seconds == pytest.approx(0.9 + 1.0 + 0.9)
    assert len(recording.notes) == 1
