"""The vehicle node: state of the cabin's occupants, and advice on speed for a planner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped, Vector3
from rclpy.time import Time

from edan_ros.behaviors.cabin import Cabin, CabinReport, CabinSettings
from edan_ros.behaviors.driver_settings import DriverSettings
from edan_ros.behaviors.limiter import LimiterSettings, Velocity, VelocityLimiter
from edan_ros.behaviors.occupants import OccupantSettings, parse_seats
from edan_ros.behaviors.speed import SpeedSettings
from edan_ros.core.settings import SettingsError
from edan_ros.msg import CabinState, DriverState, SpeedAdvisory
from edan_ros.nodes.behaviors.base import NANOSECONDS, BehaviorNode
from edan_ros.nodes.behaviors.messages import cabin_state, driver_state, speed_advisory
from edan_ros.nodes.behaviors.parameters import TIME, Part, behavior_groups, read_parts
from edan_ros.nodes.behaviors.planner_outputs import AutowareOutput, Nav2Output, PlannerOutput
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.topics import MissingMessagesError

PARTS = (
    TIME,
    Part("occupants", OccupantSettings, "Occupants and their state"),
    Part("driver", DriverSettings, "The driver"),
    Part("speed", SpeedSettings, "Advice on speed"),
)
LIMITER = Part("limiter", LimiterSettings, "Scaling of velocity commands")
GROUPS = behavior_groups(
    (*PARTS, LIMITER),
    Parameter(
        "seats",
        ["driver: 0.0 0.0 1.0 1.0"],
        "seats, each 'name: left top right bottom' as fractions of the image: the faces in this "
        "region belong to the seat; the first one has precedence where they overlap",
    ),
    Parameter(
        "nav2", False, "publish nav2_msgs/SpeedLimit on speed_limit for Nav2", change=Change.NEVER
    ),
    Parameter(
        "autoware",
        False,
        "publish Autoware's messages of the external velocity limit",
        change=Change.NEVER,
    ),
    Parameter(
        "cruise_speed",
        13.9,
        "speed that a scale of 1 stands for in messages to Autoware",
        change=Change.NEVER,
        low=0.1,
        high=60.0,
        unit="m/s",
    ),
    Parameter(
        "commands",
        "off",
        "type of the velocity commands to scale from cmd_vel_in to cmd_vel_out",
        change=Change.NEVER,
        choices=("off", "twist", "twist_stamped"),
    ),
)


def cabin_settings(values: Mapping[str, Any]) -> CabinSettings:
    """Create the settings from the values of the parameters.

    Raises:
        SettingsError: a value is out of its range, or conflicts with another.
    """
    LIMITER.read(values)
    period = 1.0 / values["rate"]
    for name in ("speed.validity", "time.max_step"):
        if values[name] <= period:
            raise SettingsError(
                f"{name} is {values[name]:g} s, not longer than the {period:g} s between two "
                f"decisions: raise {name} or rate"
            )
    return CabinSettings(seats=parse_seats(values["seats"]), **read_parts(PARTS, values))


class VehicleNode(BehaviorNode[Cabin]):
    """Publishes `cabin_state`, `driver_state`, `speed_advisory` and the enabled outputs."""

    assume_lens = True

    def __init__(self, node_name: str = "vehicle_node", **kwargs: Any) -> None:
        super().__init__(node_name, GROUPS, cabin_settings, Cabin, **kwargs)
        values = self.parameters.values
        self._limiter = VelocityLimiter(LIMITER.read(values))
        self._report: CabinReport | None = None
        self._states = self.create_publisher(CabinState, "cabin_state", qos.RESULTS)
        self._drivers = self.create_publisher(DriverState, "driver_state", qos.RESULTS)
        self._advisories = self.create_publisher(SpeedAdvisory, "speed_advisory", qos.RESULTS)
        self._outputs: list[PlannerOutput] = []
        if values["nav2"]:
            self._add_output(lambda: Nav2Output(self))
        if values["autoware"]:
            self._add_output(lambda: AutowareOutput(self, values["cruise_speed"]))
        self._subscribe_to_commands(values["commands"])
        self.begin()

    def withdraw(self) -> None:
        """End all limits for good: planners keep a limit until they get another message."""
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            output.release(self.get_clock().now())

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Apply changed parameters, already checked."""
        super().reconfigure(values)
        self._limiter.settings = LIMITER.read(values)

    def step(self, now: float, stamp: Time) -> None:
        """Publish the states of cabin and driver, and the advice."""
        report = self.behavior.step(now)
        for line in report.changes(self._report) if self._report is not None else ():
            self.get_logger().info(line)
        self._report = report
        header = self.header(stamp)
        self._states.publish(cabin_state(report, header))
        self._drivers.publish(driver_state(report, header))
        self._advisories.publish(speed_advisory(report.advice, header))
        blind = report.stale and self._limiter.settings.on_failure == "stop"
        self._limiter.advise(
            report.advice.scale, float("-inf") if blind else report.advice.valid_until
        )
        for output in self._outputs:
            output.update(report.advice, stamp)

    def situation(self) -> str:
        """Return the state in one sentence."""
        if self._report is None:
            return "no decision yet"
        return f"{self._report.summary}, speed scale {self._report.advice.scale:.2f}"

    def _add_output(self, make: Callable[[], PlannerOutput]) -> None:
        try:
            self._outputs.append(make())
        except MissingMessagesError as error:
            self.get_logger().error(f"{error}: install it, or disable this output")

    def _subscribe_to_commands(self, kind: str) -> None:
        if kind == "off":
            return
        message = Twist if kind == "twist" else TwistStamped
        callback = self._on_twist if kind == "twist" else self._on_twist_stamped
        self._commands = self.create_publisher(message, "cmd_vel_out", qos.RESULTS)
        self.create_subscription(message, "cmd_vel_in", callback, qos.RESULTS)

    def _on_twist(self, message: Twist) -> None:
        self._commands.publish(self._limited(message))

    def _on_twist_stamped(self, message: TwistStamped) -> None:
        self._commands.publish(
            TwistStamped(header=message.header, twist=self._limited(message.twist))
        )

    def _limited(self, command: Twist) -> Twist:
        linear, angular = command.linear, command.angular
        velocity: Velocity = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        now = self.get_clock().now().nanoseconds * NANOSECONDS
        x, y, z, roll, pitch, yaw = self._limiter.limit(velocity, now)
        return Twist(linear=Vector3(x=x, y=y, z=z), angular=Vector3(x=roll, y=pitch, z=yaw))


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(VehicleNode, args, on_shutdown=VehicleNode.withdraw)
