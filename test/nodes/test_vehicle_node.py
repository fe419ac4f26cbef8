"""The vehicle node over DDS, on simulated time: what it publishes, and what it never does."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from edan_ros.msg import CabinState, DriverState, FaceEmotion, FaceEmotionArray, SpeedAdvisory
from geometry_msgs.msg import Twist, TwistStamped
from probe import TIMEOUT, wait_for
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter
from replay import Replay, face, header_at, seconds_of
from spinner import Spinner

from edan_ros.behaviors import driver_records
from edan_ros.nodes.behaviors.vehicle_node import VehicleNode
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.processes import NodeProcess, ros_arguments

SEATS = ["driver: 0.5 0 1 1", "passenger: 0 0 0.5 1"]
TOPICS = {
    "cabin_state": CabinState,
    "driver_state": DriverState,
    "speed_advisory": SpeedAdvisory,
}
CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def make_replay(ros: None) -> Iterator[Callable[..., Replay]]:  # noqa: ARG001
    made: list[Replay] = []

    def make(**given: Any) -> Replay:
        made.append(Replay(VehicleNode, TOPICS, **({"seats": SEATS} | given)))
        return made[-1]

    yield make
    for replay in made:
        replay.close()


def newest(replay: Replay) -> tuple[CabinState, SpeedAdvisory]:
    return replay.heard["cabin_state"][-1], replay.heard["speed_advisory"][-1]


def test_cabin_and_advice_at_a_steady_rate(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.play(4.0, face(7, "happy", x=0.7), face(9, x=0.2))
    state, advice = newest(replay)
    assert state.header.frame_id == "cabin_optical"
    assert seconds_of(state.header.stamp) == pytest.approx(replay.now, abs=0.25)
    assert (state.stale, state.occupant_count) == (False, 2)
    assert seconds_of(state.age) < 0.2
    driver, passenger = state.occupants
    assert (driver.track_id, driver.seat, driver.label) == (7, "driver", "happy")
    assert (passenger.track_id, passenger.seat, passenger.label) == (9, "passenger", "neutral")
    assert driver.visible
    assert driver.polarity == FaceEmotion.POLARITY_POSITIVE
    assert 2.5 < seconds_of(driver.emotion_duration) < 4.1
    assert driver.head_direction_valid
    assert driver.head_yaw == pytest.approx(0.0, abs=0.01)
    assert not driver.eyes_closed
    assert driver.roi.width > 80
    assert sum(state.mood_probabilities) == pytest.approx(1.0, abs=1e-5)
    assert (state.driver_state, state.driver_disengaged) == (CabinState.DRIVER_ATTENTIVE, False)
    assert (advice.active, advice.scale, advice.reason) == (False, 1.0, SpeedAdvisory.REASON_NONE)
    assert seconds_of(advice.valid_until) == pytest.approx(
        seconds_of(advice.header.stamp) + 1.0, abs=1e-5
    )
    stamps = [seconds_of(s.header.stamp) for s in replay.heard["cabin_state"][5:]]
    gaps = [b - a for a, b in itertools.pairwise(stamps)]
    assert sum(gaps) / len(gaps) == pytest.approx(0.1, abs=0.02)


def test_the_driver_state_is_published_beside_the_cabin_state(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay(**{"driver.sleep_after": 2.0})
    eyes = {"eye_quality": FaceEmotion.EYES_VISIBLE, "gaze_valid": True}
    eyes |= {"gaze_yaw": 0.0, "gaze_pitch": 0.0}
    awake, asleep = face(7, x=0.7), face(7, x=0.7)
    for each, value in ((awake, 0.9), (asleep, 0.05)):
        each.eye_openness = [value, value]
        for name, known in eyes.items():
            setattr(each, name, known)
        each.gaze.z = -1.0
    replay.play(2.0, awake)
    state = replay.heard["driver_state"][-1]
    assert (state.state, state.alert_level, state.reason) == (DriverState.ATTENTIVE, 0, "")
    assert (state.track_id, state.eyes_measurable, state.stale) == (7, True, False)
    assert state.header == newest(replay)[0].header
    assert state.eye_openness == pytest.approx(0.9)
    assert math.isnan(state.perclos)
    assert (state.gaze_yaw, state.gaze_pitch) == (0.0, 0.0)
    replay.play(2.5, asleep)
    state = replay.heard["driver_state"][-1]
    assert (state.state, state.alert_level) == (DriverState.SLEEP, DriverState.ALERT_ALERT)
    assert state.reason.startswith("The eyes have been closed for 2.")
    assert 2.0 < seconds_of(state.eyes_closed_for) < 2.6
    assert replay.set(driver__sleep_after=5.0) == (True, "")
    replay.pause(2.0)
    state = replay.heard["driver_state"][-1]
    assert (state.stale, state.state, state.alert_level) == (True, DriverState.UNKNOWN, 0)


@pytest.mark.parametrize(
    ("constants", "message", "prefix"),
    [
        (driver_records.DriverState, DriverState, ""),
        (driver_records.Alert, DriverState, "ALERT_"),
        (driver_records.Glance, DriverState, "GLANCE_"),
        (driver_records.CabinDriver, CabinState, "DRIVER_"),
    ],
)
def test_the_states_of_the_driver_are_the_constants_of_the_message(
    constants: type[IntEnum], message: Any, prefix: str
) -> None:
    for constant in constants:
        assert getattr(message, f"{prefix}{constant.name}") == constant


def test_simulated_time_without_a_clock_is_reported(ros: None) -> None:  # noqa: ARG001
    node = VehicleNode(parameter_overrides=[Parameter("use_sim_time", value=True)])
    me = Node("me")
    reports: list[DiagnosticArray] = []
    me.create_subscription(DiagnosticArray, "/diagnostics", reports.append, qos.RESULTS)
    faces = me.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)
    spinners = [Spinner(node), Spinner(me)]

    def reported() -> bool:
        faces.publish(FaceEmotionArray(image_width=640, image_height=480))
        messages = [status.message for report in reports for status in report.status]
        return "use_sim_time is set, but /clock has no publisher" in messages

    try:
        wait_for(reported, "the diagnostics to say so", period=0.1)
    finally:
        for spinner in spinners:
            spinner.close()


@pytest.mark.parametrize("given", [{"rate": 0.5}, {"rate": 2.0}, {"speed.validity": 0.1}])
def test_a_rate_slower_than_the_validity_of_a_decision_is_refused(
    make_replay: Callable[..., Replay], given: dict[str, float]
) -> None:
    with pytest.raises(ParameterException, match="between two decisions"):
        make_replay(**given)


def test_without_a_calibration_the_head_is_still_followed(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay()
    replay.play(1.5, face(1, x=0.7, distance=None))
    (driver,) = newest(replay)[0].occupants
    assert driver.head_direction_valid
    assert abs(driver.head_yaw) < 0.3


@pytest.mark.parametrize("speed", [10.0, math.inf])
def test_fear_raises_and_calm_releases_with_drops_and_repeats(
    make_replay: Callable[..., Replay], speed: float
) -> None:
    """At 10x and as fast as possible, every fifth scene dropped, every fourth twice, some late:

    the scale stays within its range, moves by no more than its rates, falls only while somebody is
    afraid or for the hold time after, and is 1 again in the end.
    """
    quick = {"speed.hold": 0.5, "speed.release_rate": 0.2, "speed.slow_rate": 0.3}
    replay = make_replay(**quick)
    start, rate = replay.now, 15.0
    for i in range(round(9.0 * rate)):
        replay.tick(1.0 / rate)
        afraid = 1.0 <= replay.now - start < 4.5
        people = face(1, "neutral", x=0.7), face(2, "fear" if afraid else "neutral", 0.9, x=0.2)
        if i % 5:
            replay.show(*people)
        if i % 4 == 0:
            replay.show(*people)
        if i % 7 == 0:
            replay.show(*people, stamp=replay.now - 0.4)
        time.sleep(1.0 / rate / speed)
    replay.settle()
    advice = replay.heard["speed_advisory"]
    scales = [a.scale for a in advice]
    assert min(scales) < 0.75
    assert scales[-1] == 1.0
    for before, after in itertools.pairwise(advice):
        assert 0.5 <= after.scale <= 1.0
        assert after.active == (after.scale < 1.0) == (after.reason != SpeedAdvisory.REASON_NONE)
        passed = seconds_of(after.header.stamp) - seconds_of(before.header.stamp)
        change = after.scale - before.scale
        assert -0.3 * passed - 1e-5 <= change <= 0.2 * passed + 1e-5
        if change < 0.0:
            at = seconds_of(after.header.stamp) - start
            assert 1.0 < at < 7.0
            assert after.reason == SpeedAdvisory.REASON_FEAR
            assert list(after.track_ids) == [2]


def test_the_advice_decays_with_a_reason_when_the_faces_stop(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay(**{"speed.release_rate": 0.2})
    replay.play(5.0, face(1, "fear", 0.95, x=0.7))
    assert newest(replay)[1].active
    replay.pause(2.0)
    state, advice = newest(replay)
    assert state.stale
    assert state.driver_state == CabinState.DRIVER_UNKNOWN
    assert advice.reason == SpeedAdvisory.REASON_STALE
    replay.pause(4.0)
    assert not newest(replay)[1].active


def test_a_clock_that_jumps_back_does_not_stop_the_node(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay()
    replay.play(4.0, face(1, "fear", 0.95, x=0.7))
    before = newest(replay)[1].scale
    assert before < 1.0
    replay.tick(-90.0)
    replay.settle()
    replay.heard["speed_advisory"].clear()
    replay.play(1.0, face(1, x=0.7))
    scales = [a.scale for a in replay.heard["speed_advisory"]]
    assert scales
    assert before <= scales[0] < before + 0.03
    assert seconds_of(newest(replay)[0].header.stamp) < 20.0


def test_invalid_messages_are_reported_and_skipped(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.tick(0.1)
    bad = face(1)
    bad.action_unit_intensities = [1.0]
    replay.show(bad)
    replay.show(face(1), image_width=0)
    wait_for(lambda: "are not valid" in replay.report().message, "the diagnostics to say so")
    nan = face(2)
    nan.probabilities = [math.nan] * 7
    replay.play(2.0, face(1, x=0.7), nan)
    assert [o.track_id for o in newest(replay)[0].occupants] == [1]


def test_diagnostics_give_the_reason_for_no_decision(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.tick(1.0)
    assert "which has a publisher" in replay.report().message
    for _ in range(5):
        replay.tick(0.1)
        replay.show(face(1), stamp=replay.now - 50.0)
    status = wait_for(
        lambda: (r := replay.report()).level == DiagnosticStatus.ERROR and r, "an error"
    )
    assert "50.0 s behind this node's clock: set use_sim_time" in status.message
    replay.play(2.0, face(1, x=0.7))
    said = replay.report(face(1, x=0.7)).message
    assert said.startswith("1 occupant, driver attentive, speed scale 1.00")


def test_parameters_change_at_run_time_and_invalid_ones_are_refused(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay()
    assert replay.set(seats=["driver: 0 0 0.5 1"]) == (True, "")
    replay.play(1.5, face(1, x=0.2))
    assert newest(replay)[0].occupants[0].seat == "driver"
    good, why = replay.set(seats=["driver"])
    assert not good
    assert "is no seat" in why
    good, why = replay.set(speed__fear_off=0.9)
    assert not good
    assert "fear_off must be below fear_on" in why
    assert not replay.set(speed__minimum=0.0)[0]


def test_an_invalid_parameter_override_is_refused(ros: None) -> None:  # noqa: ARG001
    with pytest.raises(ParameterException, match="is no seat"):
        Replay(VehicleNode, {}, seats=["driver 1 2 3 4"])


def test_the_parameter_file_is_read(ros: None) -> None:  # noqa: ARG001
    arguments = ["--ros-args", "--params-file", str(CONFIG / "vehicle.yaml")]
    node = VehicleNode(cli_args=[*arguments, "-p", "speed.minimum:=0.7"])
    assert node.parameters["speed.minimum"] == 0.7
    assert node.parameters["seats"] == ["driver: 0.0 0.0 1.0 1.0"]
    node.destroy_node()


@pytest.mark.parametrize("kind", [Twist, TwistStamped])
def test_velocity_commands_are_scaled(make_replay: Callable[..., Replay], kind: Any) -> None:
    stamped = kind is TwistStamped
    replay = make_replay(
        **{"commands": "twist_stamped" if stamped else "twist", "speed.slow_rate": 0.5}
    )
    replay.listen(kind, "cmd_vel_out")
    publisher = replay.me.create_publisher(kind, "cmd_vel_in", 10)
    wait_for(publisher.get_subscription_count, "the limiter")
    twist = Twist()
    twist.linear.x, twist.angular.z = 2.0, -1.0
    command = TwistStamped(header=header_at(5.0, "base"), twist=twist) if stamped else twist

    def drive(seconds: float, emotion: str) -> Twist:
        for _ in range(round(seconds * 10)):
            publisher.publish(command)
            replay.play(0.1, face(1, emotion, 0.95, x=0.7), rate=10.0)
        out = replay.heard["cmd_vel_out"][-1]
        if stamped:
            assert out.header == command.header
        return out.twist if stamped else out

    assert drive(1.0, "neutral") == twist
    slowed = drive(6.0, "fear")
    assert 1.0 <= slowed.linear.x < 1.3
    assert slowed.angular.z == pytest.approx(-0.5 * slowed.linear.x)


def test_the_limiter_stops_the_robot_without_faces_if_configured(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay(**{"commands": "twist", "limiter.on_failure": "stop"})
    replay.listen(Twist, "cmd_vel_out")
    publisher = replay.me.create_publisher(Twist, "cmd_vel_in", 10)
    wait_for(publisher.get_subscription_count, "the limiter")
    command = Twist()
    command.linear.x = 1.0
    for _ in range(60):
        publisher.publish(command)
        replay.play(0.1, face(1, x=0.7), rate=10.0)
    assert replay.heard["cmd_vel_out"][-1].linear.x == 1.0
    for _ in range(40):
        publisher.publish(command)
        replay.pause(0.1, rate=10.0)
    assert replay.heard["cmd_vel_out"][-1].linear.x == 0.0


@pytest.mark.parametrize("planner", ["nav2", "autoware"])
def test_a_planner_that_is_not_installed_is_reported(
    make_replay: Callable[..., Replay], planner: str
) -> None:
    package = {"nav2": "nav2_msgs", "autoware": "autoware_internal_planning_msgs"}[planner]
    try:
        __import__(package)
    except ModuleNotFoundError:
        pass
    else:
        pytest.skip(f"{package} is installed here")
    replay = make_replay(**{planner: True})
    replay.play(1.5, face(1, x=0.7))
    assert newest(replay)[0].occupant_count == 1


@pytest.mark.parametrize("name", ["vehicle_node", "humanoid_node", "announcer_node"])
def test_the_process_starts_and_ends_cleanly(name: str, ros: None) -> None:  # noqa: ARG001
    troubles: list[str] = []
    process = NodeProcess(name, ros_arguments({"rate": 20.0}), troubles.append)
    me = Node("me")
    try:
        wait_for(lambda: me.count_subscribers("faces"), f"{name} to listen")
    finally:
        code = process.stop(TIMEOUT)
        me.destroy_node()
    assert code == 0, list(process.tail)
    assert troubles == []
