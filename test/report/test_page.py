"""The page as text: it has everything in itself, and nothing that was recorded becomes markup."""

from __future__ import annotations

import base64
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("jinja2")

from recordings import face, line, long_recording, smile, write_lines

from edan_ros.recording.run_info import RunInfo, write_run_info
from edan_ros.report.from_lines import read_lines
from edan_ros.report.page import MAX_PEOPLE, chart_library, clock, percent, render, signed
from edan_ros.report.records import Status
from edan_ros.report.video import Video


class Outline(HTMLParser):
    """Every tag with its attributes, and whether all that is opened is closed."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(path: Path) -> str:
    return render(read_lines(path))


def words_of(page: str) -> str:
    """The text that is read without a script."""
    text = re.sub(r"<[^>]*>", " ", page.split("<main>")[1].split("<noscript>")[0])
    return " ".join(text.split())


def policy_of(page: str) -> str:
    policies = [a["content"] for _, a in Outline(page).tags if "http-equiv" in a]
    return policies[0] or ""


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = page_of(smile(tmp_path / "faces.jsonl"))
    outline = Outline(page)
    assert not outline.open
    loading = [(tag, a) for tag, a in outline.tags if {"src", "href", "srcset", "data"} & a.keys()]
    assert all(a.get("href", "").startswith("#") for _, a in loading), loading
    own = page.replace(chart_library(), "")
    assert "url(http" not in own
    assert "@import" not in own
    assert "default-src 'none'" in own


def test_figures_stand_in_the_page_without_a_script(tmp_path: Path) -> None:
    page = page_of(smile(tmp_path / "faces.jsonl"))
    words = words_of(page)
    assert "People 2 2 at once at most" in words
    assert "Images 40 10.0 a second" in words
    assert "Latency 20 ms median" in words
    assert "mostly neutral , in view for 4.0 s from 0.0 s to 3.9 s" in words
    assert "This file contains no images." in words


def test_recorded_text_is_never_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    path = smile(tmp_path / "faces.jsonl")
    write_run_info(tmp_path, RunInfo({evil: evil}, {evil: evil}))
    recording = read_lines(path)
    recording.name = recording.streams[0].name = evil
    recording.notes.append(evil)
    recording.diagnostics.append(Status(evil, "error", evil, {evil: evil}))
    recording.streams.append(recording.streams[0])
    before, after = Outline(page_of(path)), Outline(render(recording))
    scripts = [sum(tag == "script" for tag, _ in outline.tags) for outline in (before, after)]
    assert scripts == [3, 3]
    assert not any(tag == "img" for tag, _ in after.tags)


def test_a_crowd_has_few_curves_and_all_figures(tmp_path: Path) -> None:
    people = MAX_PEOPLE + 5
    lines = [line(i / 10, *(face(track_id=n) for n in range(1, people + 1))) for i in range(5)]
    page = page_of(write_lines(tmp_path / "faces.jsonl", lines))
    outline = Outline(page)
    assert sum(a.get("class") == "person" for _, a in outline.tags) == MAX_PEOPLE
    assert page.count('<th scope="row">') == people
    assert f"Curves are shown for the {MAX_PEOPLE} people" in page


def test_a_recording_without_faces(tmp_path: Path) -> None:
    page = page_of(write_lines(tmp_path / "faces.jsonl", [line(i / 10) for i in range(5)]))
    assert "No faces" in page
    assert not Outline(page).open


def test_single_images_are_counted_and_have_no_curves(tmp_path: Path) -> None:
    happy, unknown = face("happy", 0), face("unknown", 0)
    records = [json.loads(line(i, happy, happy, *[unknown] * i, latency_ms=None)) for i in range(3)]
    for i, record in enumerate(records):
        record |= {"file": f"<{i}>.jpg", "stamp": None}
    path = write_lines(tmp_path / "faces.jsonl", [json.dumps(record) for record in records])
    page = page_of(path)
    outline = Outline(page)
    assert not outline.open
    assert not any("chart" in (a.get("class") or "").split() for _, a in outline.tags)
    words = words_of(page)
    assert "Faces 9 4 in one image at most Images 3 With a face 3 of the images" in words
    assert "neutral 0 happy 6 sad 0 surprise 0 fear 0 disgust 0 anger 0 unknown 3" in words
    assert "&lt;0&gt;.jpg 2 2 happy &lt;1&gt;.jpg 3 2 happy 1 unknown" in words
    assert "Single images" in page
    assert "Missing images" not in page
    assert " s recorded" not in page


def test_short_tracks_share_a_row(tmp_path: Path) -> None:
    lines = [
        line(i / 10, face("sad", 1), *([face("happy", 2 + i // 10)] if 30 <= i < 50 else []))
        for i in range(100)
    ]
    words = words_of(page_of(write_lines(tmp_path / "faces.jsonl", lines)))
    assert "People 1 2 at once at most; 2 short tracks apart" in words
    assert "2 tracks shorter than 2 s 2.0 s 20 \N{EN DASH} 100 % \N{EN DASH}" in words
    assert "Person 5" not in words


def test_a_video_is_beside_the_page_or_in_it(tmp_path: Path) -> None:
    recording = read_lines(smile(tmp_path / "faces.jsonl"))
    file = tmp_path / 'a "b" ü.mp4'
    file.write_bytes(b"not a real video")
    videos = {0: Video(file, 0.0, 160, 120)}
    beside, inside = render(recording, None, videos), render(recording, None, videos, embed=True)
    (video,) = [a for tag, a in Outline(beside).tags if tag == "video"]
    assert video["src"] == "a%20%22b%22%20%C3%BC.mp4"
    assert "media-src 'self' file:;" in policy_of(beside)
    assert "keep both in one folder" in beside
    (video,) = [a for tag, a in Outline(inside).tags if tag == "video"]
    assert "src" not in video
    assert "media-src blob:;" in policy_of(inside)
    assert base64.b64encode(file.read_bytes()).decode() in inside
    assert "This file contains images of faces." in inside


def test_recorded_names_of_settings_are_plain_words(tmp_path: Path) -> None:
    path = smile(tmp_path / "faces.jsonl")
    write_run_info(tmp_path, RunInfo({"why": "it is small"}, {"two pass": "on"}))
    assert "chosen because it is small two pass on" in words_of(page_of(path))


def test_ten_minutes_of_two_people_stay_small(tmp_path: Path) -> None:
    path = long_recording(tmp_path / "faces.jsonl", 600.0)
    recording = read_lines(path)
    page = render(recording)
    assert len(recording.streams[0].times) == 18_000
    assert len(page.encode()) < 5e6
    assert "were merged" not in page, "of ten minutes nothing is left out"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00.0"), (187.5, "3:07.5"), (3723.4, "1:02:03")],
)
def test_times(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_shares() -> None:
    assert [percent(x) for x in (0.0, 0.001, 0.5, 1.0)] == ["0 %", "< 1 %", "50 %", "100 %"]


def test_a_value_that_rounds_to_zero_has_no_minus() -> None:
    assert [signed(v) for v in (-0.004, 0.0, -0.01, 0.25, math.nan)] == [
        "+0.00",
        "+0.00",
        "\N{MINUS SIGN}0.01",
        "+0.25",
        "\N{EN DASH}",
    ]
