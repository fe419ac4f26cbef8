"""The example of a behaviour tree that acts on reactions."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

py_trees = pytest.importorskip("py_trees", reason="py_trees is not installed")

FILE = Path(__file__).parents[2] / "examples" / "reaction_tree.py"


@pytest.fixture
def module() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("reaction_tree", FILE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["reaction_tree"] = loaded
    spec.loader.exec_module(loaded)
    py_trees.blackboard.Blackboard.clear()
    yield loaded
    del sys.modules["reaction_tree"]


def test_a_reaction_runs_once_and_an_urgent_one_stops_the_robot_first(module: ModuleType) -> None:
    done: list[str] = []
    board = py_trees.blackboard.Client(name="test")
    board.register_key("reaction", access=py_trees.common.Access.WRITE)
    tree = py_trees.trees.BehaviourTree(module.make_tree(done.append, lambda: 10.0))
    tree.tick()
    assert done == []
    board.reaction = module.PendingReaction("nod", "How nice!", 20, "a smile", 9.0)
    tree.tick()
    tree.tick()
    assert done == ["nod, says 'How nice!' because: a smile"]
    board.reaction = module.PendingReaction("freeze", "", 60, "fear", 9.5)
    tree.tick()
    assert done[1:] == ["stop moving", "freeze, says '' because: fear"]
    board.reaction = module.PendingReaction("nod", "", 20, "long ago", 3.0)
    tree.tick()
    assert len(done) == 3
