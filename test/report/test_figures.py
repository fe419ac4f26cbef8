"""The figures of a report, on recordings whose figures are known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from recordings import face, line, smile, write_lines

from edan_ros.report.figures import person_figures, stream_figures
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import LABELS, Stream


def stream_of(path: Path, lines: list[str]) -> Stream:
    return read_lines(write_lines(path / "faces.jsonl", lines)).streams[0]


def test_statistics_of_a_person(tmp_path: Path) -> None:
    stream = read_lines(smile(tmp_path / "faces.jsonl")).streams[0]
    first, second = (person_figures(track, stream.interval) for track in stream.tracks)
    assert (first.images, first.changes, first.unknown) == (40, 1, 0.0)
    assert dict(zip(LABELS, first.shares, strict=True))["happy"] == 0.5
    assert first.seconds == pytest.approx(4.0)
    assert (second.mostly, second.changes) == ("sad", 0)
    assert (second.first, second.last) == (pytest.approx(1.0), pytest.approx(1.9))
    assert second.seconds == pytest.approx(1.0)
    assert second.valence < 0 < first.valence


def test_time_away_does_not_count_as_in_view(tmp_path: Path) -> None:
    away = [line(i / 10, *([face()] if not 10 <= i < 30 else [])) for i in range(40)]
    stream = stream_of(tmp_path, away)
    (track,) = stream.tracks
    assert [(r.start, r.stop) for r in track.runs(stream.interval)] == [(0, 10), (10, 20)]
    assert person_figures(track, stream.interval).seconds == pytest.approx(2.0)


def test_one_missed_image_does_not_break_a_run(tmp_path: Path) -> None:
    lines = [line(i / 10, *([face()] if i != 5 else [])) for i in range(10)]
    stream = stream_of(tmp_path, lines)
    assert len(list(stream.tracks[0].runs(stream.interval))) == 1


def test_statistics_of_a_camera(tmp_path: Path) -> None:
    lines = [line(i / 10, latency_ms=10.0 + i) for i in range(5)]
    lines += [line(0.5 + i / 10, face("unknown"), latency_ms=None) for i in range(5)]
    figures = stream_figures(stream_of(tmp_path, lines))
    assert (figures.images, figures.faces, figures.most_faces) == (10, 5, 1)
    assert figures.rate == pytest.approx(10.0)
    assert figures.face_share == 0.5
    assert figures.shares[LABELS.index("unknown")] == 1.0
    assert (figures.latency_ms[50], figures.latency_ms[100]) == (12.0, 14.0)
    assert figures.missing == 0


def test_jumps_of_the_stamps_are_images_without_a_result(tmp_path: Path) -> None:
    lines = [line(i / 10) for i in range(40) if i not in (7, 20, 21, 22)]
    figures = stream_figures(stream_of(tmp_path, lines))
    assert not figures.counted
    assert [gap.missing for gap in figures.gaps] == [1, 3]
    assert [gap.at for gap in figures.gaps] == pytest.approx([0.8, 2.3], abs=1e-5)


def test_jitter_of_the_stamps_is_not_a_gap(tmp_path: Path) -> None:
    lines = [line(i / 10 + 0.02 * math.sin(i)) for i in range(40)]
    assert stream_figures(stream_of(tmp_path, lines)).missing == 0


def test_a_single_image(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, [line(0.0, face(), latency_ms=None)])
    figures = stream_figures(stream)
    assert (figures.rate, figures.missing, figures.latency_ms) == (0.0, 0, {})
    assert person_figures(stream.tracks[0], stream.interval).seconds == 0.0
