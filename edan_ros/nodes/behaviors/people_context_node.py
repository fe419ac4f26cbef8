"""The people context node: who is here and what their faces show, as JSON for robot agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rclpy.time import Time
from std_msgs.msg import String
from std_srvs.srv import Trigger

from edan_ros.behaviors.people import PeopleSettings
from edan_ros.behaviors.people_context import ContextOptions, ContextSettings, PeopleContext
from edan_ros.nodes.behaviors.base import NANOSECONDS, BehaviorNode
from edan_ros.nodes.behaviors.parameters import TIME, Part, behavior_groups, read_parts
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.running import run_node

PARTS = (
    Part("context", ContextSettings, "Direction of heads"),
    TIME,
    Part("people", PeopleSettings, "The people in view"),
)
GROUPS = behavior_groups(PARTS)


def context_options(values: Mapping[str, Any]) -> ContextOptions:
    """Create the settings from the values of the parameters. Raises SettingsError."""
    return ContextOptions(**read_parts(PARTS, values))


class PeopleContextNode(BehaviorNode[PeopleContext]):
    """Publishes `people_context`, latched; the service of this name has it as it is now."""

    assume_lens = True

    def __init__(self, node_name: str = "people_context_node", **kwargs: Any) -> None:
        super().__init__(node_name, GROUPS, context_options, PeopleContext, **kwargs)
        self._publisher = self.create_publisher(String, "people_context", qos.LATCHED)
        self.create_service(Trigger, "~/people_context", self._on_request)
        self._published: dict[str, Any] = {}
        self.begin()

    def step(self, now: float, stamp: Time) -> None:  # noqa: ARG002
        """Publish the context when a word or a whole number in it changes: at least each second."""
        context = self.behavior.describe(now)
        key = json.loads(json.dumps(context), parse_float=lambda text: int(float(text)))
        if key != self._published:
            self._published = key
            self._publisher.publish(String(data=json.dumps(context)))

    def situation(self) -> str:
        """Return the state in one sentence."""
        count = len(self._published.get("people", ()))
        return f"{count} {'person' if count == 1 else 'people'} in the context"

    def _on_request(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        now = self.get_clock().now().nanoseconds * NANOSECONDS
        response.success = True
        response.message = json.dumps(self.behavior.describe(now))
        return response


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(PeopleContextNode, args)
