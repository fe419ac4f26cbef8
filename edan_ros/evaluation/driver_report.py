"""The evaluation of the driver monitor as one HTML page, as JSON and as text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edan_ros.core.wording import plural
from edan_ros.drawing.charts import Line, Panel, line_chart
from edan_ros.drawing.pages import page_environment, stylesheet
from edan_ros.evaluation.driver import TOLERANCE, Event, ScenarioResult, false_alarms_per_hour

#: Points of a chart at most.
_POINTS = 400
#: Scenarios longer than this many seconds have no chart.
_LONGEST_CHART = 300.0


def summary(results: Sequence[ScenarioResult]) -> dict[str, float]:
    """Return the figures of each source together: events, those in time, delay, false alarms."""
    events = [event for result in results for event in result.events if event.measurable]
    delays = [abs(event.delay) for event in events if event.delay is not None]
    return {
        "events": len(events),
        "in_time": sum(event.in_time for event in events),
        "largest_delay": max(delays, default=math.nan),
        "false_alarms": sum(len(result.false_alarms) for result in results),
        "false_alarms_per_hour": false_alarms_per_hour(results),
    }


def by_source(results: Sequence[ScenarioResult]) -> dict[str, list[ScenarioResult]]:
    """Return the results grouped by their source, in order."""
    groups: dict[str, list[ScenarioResult]] = {}
    for result in results:
        groups.setdefault(result.source, []).append(result)
    return groups


def text(results: Sequence[ScenarioResult]) -> Iterator[str]:
    """Yield the lines of the results for a terminal."""
    for source, group in by_source(results).items():
        yield f"{source}: {', '.join(_sentence(group))}"
        for result in group:
            mark = "ok  " if result.as_expected else "MISS"
            found = "; ".join(_event_text(event) for event in result.events) or "no event expected"
            alarms = plural(len(result.false_alarms), "false alarm")
            yield f"  {mark} {result.name:<26} {found}; {alarms}"


def write_report(folder: Path, results: Sequence[ScenarioResult]) -> Path:
    """Write ``driver.html`` and ``driver.json`` into a folder and return the path of the page.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = by_source(results)
    figures = {
        source: {
            **{k: None if math.isnan(v) else v for k, v in summary(group).items()},
            "scenarios": [result.as_json() for result in group],
        }
        for source, group in groups.items()
    }
    (folder / "driver.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    environment = page_environment("edan_ros.evaluation", ".")
    page = folder / "driver.html"
    content = environment.get_template("driver.html").render(
        style=stylesheet(),
        tolerance=TOLERANCE,
        groups=[_group(source, group) for source, group in groups.items()],
    )
    page.write_text(content, encoding="utf-8")
    return page


def _sentence(group: Sequence[ScenarioResult]) -> Iterator[str]:
    figures = summary(group)
    yield f"{figures['in_time']} of {figures['events']} events within {TOLERANCE:g} s"
    if not math.isnan(figures["false_alarms_per_hour"]):
        yield f"{figures['false_alarms_per_hour']:.1f} false alarms per hour of normal driving"


def _name(kind: str) -> str:
    return kind.lower().replace("_", " ")


def _event_text(event: Event) -> str:
    if event.delay is not None:
        return f"{_name(event.kind)} {event.delay:+.2f} s"
    return f"{_name(event.kind)} {'missed' if event.measurable else 'cannot be measured'}"


def _group(source: str, group: Sequence[ScenarioResult]) -> dict[str, Any]:
    figures = summary(group)
    per_hour = figures["false_alarms_per_hour"]
    seconds = sum(result.seconds for result in group)
    tiles = [
        ("Events in time", f"{figures['in_time']} of {figures['events']}", "that can be measured"),
        ("Largest difference", f"{figures['largest_delay']:.2f} s", "from the definition"),
        ("False alarms", f"{figures['false_alarms']}", f"in {seconds / 60.0:.0f} min in all"),
    ]
    if not math.isnan(per_hour):
        tiles.append(("False alarms per hour", f"{per_hour:.1f}", "of normal driving"))
    return {
        "source": source,
        "tiles": [{"name": n, "value": v, "more": more} for n, v, more in tiles],
        "rows": [_row(result) for result in group],
        "limits": [
            {
                "name": result.name,
                "events": ", ".join(_name(e.kind) for e in result.events if not e.measurable),
                "reasons": result.unmeasured,
            }
            for result in group
            if result.unmeasured or not all(event.measurable for event in result.events)
        ],
        "charts": [
            {"name": result.name, "about": result.about, "svg": _chart(result)}
            for result in group
            if result.seconds <= _LONGEST_CHART
        ],
    }


def _row(result: ScenarioResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "about": result.about,
        "ok": result.as_expected,
        "length": f"{result.seconds:.0f} s",
        "events": [
            {
                "name": _name(event.kind),
                "at": f"{event.at:.1f} s",
                "delay": "" if event.delay is None else f"{event.delay:+.2f} s",
                "bad": event.measurable and not event.in_time,
                "measurable": event.measurable,
            }
            for event in result.events
        ],
        "false_alarms": [
            f"{_name(alarm.kind)} at {alarm.at:.1f} s. {alarm.reason}".rstrip()
            for alarm in result.false_alarms
        ],
        "eyes": f"{100.0 * result.eyes_measured:.0f} %",
        "confidence": f"{100.0 * result.confidence:.0f} %",
        "blinks": "" if math.isnan(result.blink_rate) else f"{result.blink_rate:.0f}",
    }


def _chart(result: ScenarioResult) -> str:
    trace = result.trace
    step = max(len(trace["time"]) // _POINTS, 1)
    time = trace["time"][::step]
    lines = [
        Line(name, time, trace[key][::step])
        for name, key in (
            ("eye openness", "openness"),
            ("gaze from the rest direction (rad)", "gaze"),
            ("mouth opening", "mouth"),
            ("PERCLOS", "perclos"),
        )
    ]
    panel = Panel(
        result.name,
        lines,
        x_title="seconds; vertical lines: events by definition",
        y_range=(-1.2, 1.2),
        dividers=[event.at for event in result.events],
    )
    return line_chart([panel])
