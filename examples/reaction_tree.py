#!/usr/bin/env python3
"""How a planner consumes reactions: a behaviour tree over a blackboard (py_trees).

    pip install py_trees          (on a robot: apt install ros-$ROS_DISTRO-py-trees)
    ros2 launch edan_ros humanoid.launch.py source:=0
    python3 examples/reaction_tree.py

A subscriber writes every `edan_ros/Reaction` to the blackboard. The tree, ticked ten times a
second, does the first that applies:

    Selector
      Sequence "urgent"     a reaction of priority 50 or more is new -> stop moving -> react
      Sequence "reaction"   a reaction is new -> react
      "attend"              else look at whom the humanoid node attends to

The robot here only prints what it would do; put your own actions in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import py_trees
from py_trees.behaviour import Behaviour
from py_trees.common import Access, Status

URGENT = 50
#: Seconds after which a reaction that nobody has taken up is too old.
LATEST = 2.0


@dataclass(frozen=True)
class Wish:
    """What the tree needs of an `edan_ros/Reaction`. time: seconds, when it came."""

    behavior: str
    utterance: str
    priority: int
    why: str
    time: float


class Wished(Behaviour):
    """Succeeds while a wish of at least this priority is on the blackboard and not too old."""

    def __init__(self, name: str, least: int, clock: Callable[[], float]) -> None:
        super().__init__(name)
        self._least = least
        self._clock = clock
        self._board = self.attach_blackboard_client(name)
        self._board.register_key("wish", access=Access.READ)

    def update(self) -> Status:
        """Looks at the blackboard."""
        wish = self._board.wish if self._board.exists("wish") else None
        if wish is None or self._clock() - wish.time > LATEST or wish.priority < self._least:
            return Status.FAILURE
        self.feedback_message = wish.why
        return Status.SUCCESS


class React(Behaviour):
    """Takes the wish off the blackboard and does it."""

    def __init__(self, act: Callable[[str], None]) -> None:
        super().__init__("react")
        self._act = act
        self._board = self.attach_blackboard_client("react")
        self._board.register_key("wish", access=Access.WRITE)

    def update(self) -> Status:
        """Does it at once; a real robot's behaviour would be RUNNING until it is done."""
        wish: Wish = self._board.wish
        self._board.wish = None
        self._act(f"{wish.behavior}, says '{wish.utterance}' because: {wish.why}")
        return Status.SUCCESS


class Do(Behaviour):
    """Does one thing and succeeds."""

    def __init__(self, name: str, act: Callable[[str], None]) -> None:
        super().__init__(name)
        self._act = act

    def update(self) -> Status:
        """Does it."""
        self._act(self.name)
        return Status.SUCCESS


def make_tree(act: Callable[[str], None], clock: Callable[[], float]) -> Behaviour:
    """The tree. act: does, or here tells, one thing. clock: seconds, as those of the wishes."""
    urgent = py_trees.composites.Sequence("urgent", memory=False)
    urgent.add_children([Wished("urgent wish", URGENT, clock), Do("stop moving", act), React(act)])
    reaction = py_trees.composites.Sequence("reaction", memory=False)
    reaction.add_children([Wished("wish", -(2**31), clock), React(act)])
    root = py_trees.composites.Selector("root", memory=False)
    root.add_children([urgent, reaction, Do("attend", lambda _: None)])
    return root


def main() -> None:
    """Subscribes to `reaction` and ticks the tree until SIGINT."""
    import rclpy
    from edan_ros.msg import Reaction

    rclpy.init()
    node = rclpy.create_node("reaction_tree")
    board = py_trees.blackboard.Client(name="reactions")
    board.register_key("wish", access=Access.WRITE)

    def now() -> float:
        return node.get_clock().now().nanoseconds * 1e-9

    def on_reaction(message: Reaction) -> None:
        board.wish = Wish(message.behavior, message.utterance, message.priority, message.why, now())

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
