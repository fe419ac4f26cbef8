#!/usr/bin/env python3
"""A behaviour tree that acts on reactions, with a blackboard (py_trees).

    pip install py_trees          (on a robot: apt install ros-$ROS_DISTRO-py-trees)
    ros2 launch edan_ros humanoid.launch.py source:=0
    python3 examples/reaction_tree.py

A subscriber writes every `edan_ros/Reaction` to the blackboard. The tree ticks ten times per second
and runs the first branch that applies:

    Selector
      Sequence "urgent"     a new reaction of priority 50 or more -> stop moving -> react
      Sequence "reaction"   a new reaction -> react
      "attend"              otherwise look at the person with the humanoid node's attention

The actions here only log what a robot would do. Replace them with your own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import py_trees
from py_trees.behaviour import Behaviour
from py_trees.common import Access, Status

URGENT = 50
#: Seconds after which a pending reaction is too old.
MAX_AGE = 2.0


@dataclass(frozen=True)
class PendingReaction:
    """The fields of an `edan_ros/Reaction` that the tree uses; time: of its arrival, seconds."""

    behavior: str
    utterance: str
    priority: int
    reason: str
    time: float


class IsPending(Behaviour):
    """Succeeds while a reaction of at least this priority is on the blackboard and not too old."""

    def __init__(self, name: str, min_priority: int, clock: Callable[[], float]) -> None:
        super().__init__(name)
        self._min_priority = min_priority
        self._clock = clock
        self._board = self.attach_blackboard_client(name)
        self._board.register_key("reaction", access=Access.READ)

    def update(self) -> Status:
        """Check the blackboard."""
        reaction = self._board.reaction if self._board.exists("reaction") else None
        if reaction is None or reaction.priority < self._min_priority:
            return Status.FAILURE
        if self._clock() - reaction.time > MAX_AGE:
            return Status.FAILURE
        self.feedback_message = reaction.reason
        return Status.SUCCESS


class React(Behaviour):
    """Takes the reaction off the blackboard and runs it."""

    def __init__(self, act: Callable[[str], None]) -> None:
        super().__init__("react")
        self._act = act
        self._board = self.attach_blackboard_client("react")
        self._board.register_key("reaction", access=Access.WRITE)

    def update(self) -> Status:
        """Run it at once; a robot's behaviour would return RUNNING until it has finished."""
        reaction: PendingReaction = self._board.reaction
        self._board.reaction = None
        self._act(f"{reaction.behavior}, says '{reaction.utterance}' because: {reaction.reason}")
        return Status.SUCCESS


class Action(Behaviour):
    """Runs one action and succeeds."""

    def __init__(self, name: str, act: Callable[[str], None]) -> None:
        super().__init__(name)
        self._act = act

    def update(self) -> Status:
        """Run the action."""
        self._act(self.name)
        return Status.SUCCESS


def make_tree(act: Callable[[str], None], clock: Callable[[], float]) -> Behaviour:
    """Return the tree.

    Args:
        act: runs an action by its description; here it logs it.
        clock: returns the time in seconds, on the clock of PendingReaction.time.
    """
    urgent = py_trees.composites.Sequence("urgent", memory=False)
    urgent.add_children(
        [IsPending("is urgent", URGENT, clock), Action("stop moving", act), React(act)]
    )
    reaction = py_trees.composites.Sequence("reaction", memory=False)
    reaction.add_children([IsPending("is pending", -(2**31), clock), React(act)])
    root = py_trees.composites.Selector("root", memory=False)
    root.add_children([urgent, reaction, Action("attend", lambda _: None)])
    return root


def main() -> None:
    """Subscribe to `reaction` and tick the tree until SIGINT."""
    import rclpy
    from edan_ros.msg import Reaction

    rclpy.init()
    node = rclpy.create_node("reaction_tree")
    board = py_trees.blackboard.Client(name="reactions")
    board.register_key("reaction", access=Access.WRITE)

    def now() -> float:
        return node.get_clock().now().nanoseconds * 1e-9

    def on_reaction(message: Reaction) -> None:
        board.reaction = PendingReaction(
            message.behavior, message.utterance, message.priority, message.why, now()
        )

    tree = py_trees.trees.BehaviourTree(make_tree(node.get_logger().info, now))
    node.create_subscription(Reaction, "reaction", on_reaction, 10)
    node.create_timer(0.1, tree.tick)
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
