"""The driver monitor in the scripted scenarios of `edan evaluate driver`, and their report."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

pytest.importorskip("jinja2")

from edan_ros.cli.main import main
from edan_ros.evaluation import driver
from edan_ros.evaluation.driver import (
    EYE_NETWORK,
    LANDMARKS,
    TOLERANCE,
    ScenarioResult,
    evaluate,
    evaluate_traces,
    false_alarms_per_hour,
)
from edan_ros.evaluation.driver_report import summary, text, write_report
from edan_ros.evaluation.driver_scenarios import (
    ASLEEP,
    ROAD,
    SCENARIOS,
    Camera,
    Expected,
    Scenario,
    looks,
    normal_driving,
)

HIDDEN = {
    EYE_NETWORK: {"Sunglasses"},
    LANDMARKS: {
        *("Sunglasses", "Long glance with the eyes", "Glance into the lap"),
        "Many short glances",
    },
}


@pytest.fixture(scope="module")
def results() -> list[ScenarioResult]:
    return list(evaluate_traces(seconds=240.0, rate=10.0))


def test_every_measurable_event_is_detected_in_time(results: list[ScenarioResult]) -> None:
    missed = [r.name for r in results if not r.as_expected]
    assert missed == []
    for source, hidden in HIDDEN.items():
        group = [r for r in results if r.source == source]
        assert {r.name for r in group if not all(e.measurable for e in r.events)} == hidden
        assert summary(group)["largest_delay"] <= TOLERANCE


def test_normal_driving_raises_at_most_one_false_alarm_per_hour(
    results: list[ScenarioResult],
) -> None:
    assert false_alarms_per_hour(results) <= 1.0


def test_a_missed_event_and_a_false_alarm_are_counted() -> None:
    script = ((10.0, ROAD), (4.0, ASLEEP), (5.0, ROAD))
    expected = Expected("LOOKING_AWAY", 13.0, "head"), Expected("SLEEP", 13.0, "lids")
    scenario = Scenario("mistaken", "", script, expected, also=frozenset({"DROWSY"}))
    result = evaluate(scenario, Camera().snapshots(scenario), EYE_NETWORK)
    assert [event.in_time for event in result.events] == [False, True]
    assert [alarm.kind for alarm in result.false_alarms] == ["MICROSLEEP"]
    assert result.false_alarms[0].at == pytest.approx(11.0, abs=0.2)
    assert not result.as_expected
    assert "MISS mistaken" in "\n".join(text([result]))


def test_the_scripted_blinks_are_counted() -> None:
    scenario = next(s for s in SCENARIOS if s.name == "Blinks")
    openness = [look.openness for _, look in looks(scenario, 60.0, seed=3)]
    count = sum(b < 0.5 <= a for a, b in itertools.pairwise(openness))
    result = evaluate(scenario, Camera(rate=60.0, seed=3).snapshots(scenario), EYE_NETWORK)
    assert result.blink_rate == pytest.approx(count, abs=2.5)


def test_a_scenario_is_the_same_for_a_seed() -> None:
    scenario = normal_driving(20.0, seed=4)
    assert scenario == normal_driving(20.0, seed=4)
    first, again, other = (list(Camera(seed=seed).snapshots(scenario)) for seed in (1, 1, 2))
    assert str(first) == str(again) != str(other)


def test_the_command_writes_a_page_that_loads_nothing_and_json(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    results: list[ScenarioResult],
) -> None:
    monkeypatch.setattr(driver, "evaluate_traces", lambda: iter(results))
    assert main(["evaluate", "driver", "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    assert "simulated eye network: 21 of 21 events within 0.5 s" in printed
    page = (tmp_path / "report" / "driver.html").read_text("utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    for result in results:
        assert result.name in page
        for reason in result.unmeasured:
            assert reason in page
    figures = json.loads((tmp_path / "report" / "driver.json").read_text("utf-8"))
    assert figures[LANDMARKS]["in_time"] == figures[LANDMARKS]["events"] == 18
    assert len(figures[EYE_NETWORK]["scenarios"]) == len(SCENARIOS) + 1


def test_a_missed_event_is_marked_on_the_page(tmp_path: Path) -> None:
    scenario = Scenario("mistaken", "", ((5.0, ROAD),), (Expected("SLEEP", 1.0, "lids"),))
    result = evaluate(scenario, Camera().snapshots(scenario), EYE_NETWORK)
    page = write_report(tmp_path, [result]).read_text("utf-8")
    assert '<span class="bad">missed</span>' in page
