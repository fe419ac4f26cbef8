"""A report is read in Chromium: phone and desktop, light and dark, by mouse, touch and keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api")

from chromium import launch  # noqa: E402
from recordings import face, line, long_recording, smile, write_lines  # noqa: E402
from test_thumbnails import frames  # noqa: E402

from edan_ros.core.emotions import EMOTIONS  # noqa: E402
from edan_ros.report.from_lines import read_lines  # noqa: E402
from edan_ros.report.page import render  # noqa: E402
from edan_ros.report.video import Video, write_videos  # noqa: E402

SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = launch(started)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Any,
    path: Path,
    screen: str = "desktop",
    scheme: str = "light",
    videos: dict[int, Video] | None = None,
    embed: bool = False,
) -> Iterator[Any]:
    """The report of a file of lines. On leaving, nothing was complained of."""
    page_path = path.with_suffix(".html")
    page_path.write_text(render(read_lines(path), None, videos, embed=embed), encoding="utf-8")
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=screen == "phone",
        offline=True,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto(page_path.as_uri())
    page.wait_for_selector(".chart svg")
    yield page
    context.close()
    assert not complaints


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_drawn_and_nothing_overflows(
    browser: Any, tmp_path: Path, screen: str, scheme: str
) -> None:
    with opened(browser, smile(tmp_path / "faces.jsonl"), screen, scheme) as page:
        # Overview, two charts for each of two people, latency.
        assert page.locator(".chart svg").count() == 6
        areas = "[...document.querySelectorAll('.chart path[fill]')]"
        assert page.evaluate(areas + ".filter(p => p.getBBox().height > 20).length") >= 3
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= SCREENS[screen][0]
        outside = page.evaluate(
            "[...document.querySelectorAll('body *')]"
            ".filter(e => !e.closest('.scroll, .thumbnails, .hidden, .skip, svg'))"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.tagName + '.' + e.className)"
        )
        assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, tmp_path: Path, scheme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    ratios = """() => {
      const luminance = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
      };
      const ground = (e) => {
        const colour = getComputedStyle(e).backgroundColor;
        return colour !== "rgba(0, 0, 0, 0)" || !e.parentElement ? colour : ground(e.parentElement);
      };
      const ratios_found = {};
      for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const drawn = e.namespaceURI.endsWith("svg");
        if (!own || e.matches("script, noscript, .hidden, .cell + text")) continue;
        const style = getComputedStyle(e);
        const [a, b] = [luminance(drawn ? style.fill : style.color), luminance(ground(e))].sort();
        ratios_found[e.tagName + "." + (e.getAttribute("class") || "")] = (b + 0.05) / (a + 0.05);
      }
      return ratios_found;
    }"""
    with opened(browser, smile(tmp_path / "faces.jsonl"), scheme=scheme) as page:
        ratios_found = page.evaluate(ratios)
    assert len(ratios_found) > 15
    assert {name: ratio for name, ratio in ratios_found.items() if ratio < 4.5} == {}


def test_the_cursor_shows_every_chart_at_its_time(browser: Any, tmp_path: Path) -> None:
    with opened(browser, smile(tmp_path / "faces.jsonl")) as page:
        chart = page.locator(".person .emotions").first
        readout = page.locator(".person .readout").first
        playwright.expect(readout.locator(".when")).to_have_text("mean of 0.0 s to 3.9 s")
        box = chart.bounding_box()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 60)
        playwright.expect(readout.locator(".label")).to_have_text("happy")
        playwright.expect(readout.locator(".row", has_text="happy")).to_contain_text("70 %")
        lines = page.locator(".cursor:not([visibility])")
        playwright.expect(lines).to_have_count(6)  # in all charts
        second = page.locator(".person .readout").nth(1).inner_text()
        assert "not in view" in second
        assert "20.0 ms" in page.locator(".readline").inner_text()
        page.mouse.move(5, 5)
        playwright.expect(lines).to_have_count(0)


def test_touch_moves_the_cursor(browser: Any, tmp_path: Path) -> None:
    with opened(browser, smile(tmp_path / "faces.jsonl"), "phone") as page:
        chart = page.locator(".person .emotions").first
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + 60)
        playwright.expect(page.locator(".person .readout .label").first).to_have_text("happy")


def test_the_keyboard_is_enough(browser: Any, tmp_path: Path) -> None:
    with opened(browser, smile(tmp_path / "faces.jsonl")) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.locator(".person .emotions").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        readout = page.locator(".person .readout").first
        when, spoken = readout.locator(".when"), page.locator("#spoken")
        playwright.expect(when).to_have_text("0.10 s")
        playwright.expect(spoken).to_have_text("0.10 s: neutral, strongest 70 %")
        page.keyboard.press("Shift+ArrowRight")
        playwright.expect(when).to_have_text("1.10 s")
        page.keyboard.press("+")
        page.wait_for_selector("#reset:not([hidden])")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reset", state="hidden")
        playwright.expect(when).to_have_text("mean of 0.0 s to 3.9 s")


def test_dragging_over_the_strip_looks_closer(browser: Any, tmp_path: Path) -> None:
    with opened(browser, smile(tmp_path / "faces.jsonl")) as page:
        box = page.locator("#overview").bounding_box()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 30, steps=4)
        page.mouse.up()
        page.mouse.move(5, 5)
        readout = page.locator(".person .readout").first
        page.wait_for_selector("#reset:not([hidden])")
        playwright.expect(readout.locator(".when")).to_have_text("mean of 2.0 s to 2.9 s")
        page.click("#reset")
        playwright.expect(readout.locator(".when")).to_have_text("mean of 0.0 s to 3.9 s")


@pytest.mark.parametrize("embed", [False, True])
def test_charts_move_the_video_and_the_reverse(browser: Any, tmp_path: Path, embed: bool) -> None:
    """Times are asked for by seeking, never by playing: nothing depends on the clock."""
    path = smile(tmp_path / "faces.jsonl")
    videos = write_videos(read_lines(path), {0: frames()}, tmp_path / "faces")
    with opened(browser, path, videos=videos, embed=embed) as page:
        if not page.evaluate(
            """document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"')"""
        ):
            pytest.skip("this Chromium has no H.264")
        when = page.locator(".person .readout .when").first
        label = page.locator(".person .readout .label").first
        playwright.expect(when).to_have_text("0.00 s")  # where the video is
        playwright.expect(page.locator(".screen output")).to_have_text("0.0 s")
        chart = page.locator(".person .emotions").first
        box = chart.bounding_box()
        page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 60)
        page.mouse.move(5, 5)
        playwright.expect(label).to_have_text("happy")
        position = page.locator(".screen input")
        playwright.expect(page.locator(".screen output")).to_have_text(
            "3.4 s"
        )  # of the image shown
        assert float(position.input_value()) == pytest.approx(3.5, abs=0.06)
        boxes = """() => {
          const canvas = document.querySelector(".screen canvas");
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return pixels.data.filter((value, i) => i % 4 === 3 && value > 0).length;
        }"""
        assert page.evaluate(boxes) > 200, "the face has a box"
        position.focus()
        page.keyboard.press("Home")
        playwright.expect(when).to_have_text("0.00 s")
        playwright.expect(label).to_have_text("neutral")
        chart.focus()
        page.keyboard.press("ArrowRight")
        playwright.expect(page.locator(".screen output")).to_have_text("0.1 s")
        page.keyboard.press("Space")
        playwright.expect(page.locator(".screen output")).not_to_have_text("0.1 s")


def test_short_tracks_and_the_reason_of_the_unknown(browser: Any, tmp_path: Path) -> None:
    lines = [
        line(i / 10, face("unknown", 1), *([face("sad", 2 + i // 10)] if 30 <= i < 50 else []))
        for i in range(100)
    ]
    with opened(browser, write_lines(tmp_path / "faces.jsonl", lines)) as page:
        names = page.locator("#overview .name")
        playwright.expect(names).to_have_text(["Person 1", "2 tracks shorter than 2 s"])
        assert page.locator(".person").count() == 1
        page.locator(".person .emotions").focus()
        page.keyboard.press("ArrowRight")
        spoken = page.locator("#spoken")
        playwright.expect(spoken).to_have_text("0.00 s: unknown (turned away)")
        rows = page.locator(".person .readout .row > span:first-child").all_inner_texts()
        assert rows == list(EMOTIONS)


def test_a_recording_without_people_and_one_image(browser: Any, tmp_path: Path) -> None:
    with opened(browser, write_lines(tmp_path / "a.jsonl", [line(0), line(0.1)])) as page:
        assert page.locator(".chart svg").count() == 1
    with opened(browser, write_lines(tmp_path / "b.jsonl", [line(0, face())])) as page:
        assert page.locator(".chart svg").count() == 4


@pytest.mark.slow
def test_ten_minutes_of_two_people_open_quickly(browser: Any, tmp_path: Path) -> None:
    """In less than 2 s of processor time, so that a busy machine does not count."""
    with opened(browser, long_recording(tmp_path / "faces.jsonl", 600.0)) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(page.url)
        page.wait_for_selector(".latency svg .latency")
        measured = session.send("Performance.getMetrics")["metrics"]
    seconds = {metric["name"]: metric["value"] for metric in measured}
    assert 0.01 < seconds["TaskDuration"] < 2.0
