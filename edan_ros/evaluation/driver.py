"""Evaluation of the driver monitor on scripted scenarios: detections, delays and false alarms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from edan_ros.behaviors.cabin import Cabin, CabinSettings
from edan_ros.behaviors.driver_records import DriverReport, DriverState
from edan_ros.behaviors.occupants import Seat
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.evaluation.driver_scenarios import (
    ALARMS,
    SCENARIOS,
    YAWN,
    Camera,
    Expected,
    Scenario,
    normal_driving,
)

#: Seconds by which a detection may differ from the definition of its event.
TOLERANCE = 0.5
#: Names of the ways to measure.
EYE_NETWORK, LANDMARKS = "simulated eye network", "simulated landmarks alone"
_SEATS = (Seat("driver", 0.5, 0.0, 1.0, 1.0), Seat("passenger", 0.0, 0.0, 0.5, 1.0))
#: What landmarks cannot measure.
_NEEDS_NETWORK = frozenset({"eyes"})
#: Clock at the start of a scenario: any but 0, which means no time.
_START = 1000.0


@dataclass(frozen=True)
class Event:
    """An event that was expected.

    Attributes:
        kind: name of a DriverState, or YAWN.
        at: seconds from the start at which its definition is fulfilled.
        delay: seconds until it was reported; None if it was not.
        measurable: whether it can be measured in this scenario in this way.
    """

    kind: str
    at: float
    delay: float | None
    measurable: bool

    @property
    def in_time(self) -> bool:
        """Whether it was reported within TOLERANCE."""
        return self.delay is not None and abs(self.delay) <= TOLERANCE


@dataclass(frozen=True)
class FalseAlarm:
    """A report without an event: seconds from the start, name of the state and its reason."""

    at: float
    kind: str
    reason: str


@dataclass
class ScenarioResult:
    """The monitor's reports in one scenario.

    Attributes:
        name, about, seconds: of the scenario.
        source: how its faces were made.
        events: in the order of the script.
        false_alarms: in their order.
        eyes_measured: fraction of the reports with measured eyes.
        confidence: mean over the reports.
        blink_rate: the last one; NaN if it is unknown.
        unmeasured: reasons for which something could not be measured, the most frequent first.
        trace: columns "time", "openness", "perclos", "mouth", "gaze"; the latter in radians from
            the rest direction, the larger one of yaw and pitch.
    """

    name: str
    about: str
    seconds: float
    source: str
    events: list[Event] = field(default_factory=list)
    false_alarms: list[FalseAlarm] = field(default_factory=list)
    eyes_measured: float = 0.0
    confidence: float = 0.0
    blink_rate: float = math.nan
    unmeasured: list[str] = field(default_factory=list)
    trace: dict[str, list[float]] = field(default_factory=dict)

    @property
    def as_expected(self) -> bool:
        """Whether all measurable events were reported in time, and nothing else."""
        return not self.false_alarms and all(e.in_time for e in self.events if e.measurable)

    def as_json(self) -> dict[str, Any]:
        """Return the result without its trace; NaN is None."""
        values = asdict(self) | {"as_expected": self.as_expected}
        del values["trace"]
        return values | {"blink_rate": None if math.isnan(self.blink_rate) else self.blink_rate}


def evaluate_traces(
    seconds: float = 3600.0, seed: int = 0, rate: float = 15.0
) -> Iterator[ScenarioResult]:
    """Yield the results of all scenarios and of normal driving as noisy traces.

    Args:
        seconds: length of the normal driving.
        seed: of the noise.
        rate: images a second.
    """
    for network, source in ((True, EYE_NETWORK), (False, LANDMARKS)):
        for number, scenario in enumerate((*SCENARIOS, normal_driving(seconds, seed))):
            camera = Camera(network, rate, 100 * seed + number)
            yield evaluate(scenario, camera.snapshots(scenario), source)


def evaluate(
    scenario: Scenario, snapshots: Iterable[tuple[float, Snapshot]], source: str
) -> ScenarioResult:
    """Return the result of one scenario.

    Args:
        scenario: the script.
        snapshots: time from its start and faces of each image.
        source: how they were made. Without an eye network, what needs one cannot be measured.
    """
    cabin = Cabin(CabinSettings(seats=_SEATS))
    onsets: list[FalseAlarm] = []
    reasons: Counter[str] = Counter()
    trace: dict[str, list[float]] = {
        key: [] for key in ("time", "openness", "perclos", "mouth", "gaze")
    }
    before: DriverReport | None = None
    measured = confidence = 0.0
    network = False
    for time, snapshot in snapshots:
        now = _START + time
        cabin.observe(_shifted(snapshot), now)
        report = cabin.step(now).driver_state
        if before is None or report.state != before.state:
            onsets.append(FalseAlarm(time, report.state.name, report.reason))
        if report.yawning and not (before and before.yawning):
            onsets.append(FalseAlarm(time, YAWN, ""))
        if report.state in (DriverState.ATTENTIVE, DriverState.UNKNOWN) and report.reason:
            reasons[report.reason] += 1
        network = network or any(face.eye_quality for face in snapshot.faces)
        measured += report.eyes_measurable
        confidence += report.confidence
        mouth = [f.mouth_opening for f in snapshot.faces if f.track_id == report.track_id]
        values = (time, report.openness, report.perclos, *(mouth or [math.nan]))
        for key, value in zip(trace, (*values, max(report.gaze, key=abs)), strict=True):
            trace[key].append(value)
        before = report
    count = max(len(trace["time"]), 1)
    hidden = scenario.hidden | (frozenset() if network else _NEEDS_NETWORK)
    return ScenarioResult(
        scenario.name,
        scenario.about,
        scenario.seconds,
        source,
        [_event(expected, onsets, hidden) for expected in scenario.expected],
        [onset for onset in onsets if not _is_explained(onset, scenario)],
        measured / count,
        confidence / count,
        math.nan if before is None else before.blink_rate,
        [reason for reason, _ in reasons.most_common() if "seat" not in reason],
        trace,
    )


def false_alarms_per_hour(results: Sequence[ScenarioResult]) -> float:
    """Return the false alarms in normal driving per hour of it; NaN without any."""
    driving = [result for result in results if result.name == normal_driving(0.0).name]
    hours = sum(result.seconds for result in driving) / 3600.0
    return sum(len(r.false_alarms) for r in driving) / hours if hours else math.nan


def _shifted(snapshot: Snapshot) -> Snapshot:
    return Snapshot(_START + snapshot.stamp, snapshot.width, snapshot.height, snapshot.faces)


def _event(expected: Expected, onsets: Sequence[FalseAlarm], hidden: frozenset[str]) -> Event:
    delays = (onset.at - expected.at for onset in onsets if onset.kind == expected.kind)
    delay = next((delay for delay in delays if delay >= -TOLERANCE), None)
    return Event(expected.kind, expected.at, delay, expected.needs not in hidden)


def _is_explained(onset: FalseAlarm, scenario: Scenario) -> bool:
    """Return whether a report is none of an alarm, or follows from the script."""
    if onset.kind not in ALARMS | {YAWN} or onset.kind in scenario.also:
        return True
    return any(
        expected.kind == onset.kind and onset.at >= expected.at - TOLERANCE
        for expected in scenario.expected
    )
