"""The imports of Python files, read from their syntax trees without running them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One import statement for one module.

    in_function: whether it runs only when a function is called. for_types: whether it is under
    `if TYPE_CHECKING`.
    """

    module: str
    path: Path
    line: int
    in_function: bool
    for_types: bool

    @property
    def at_load(self) -> bool:
        """Whether it runs when the file loads."""
        return not (self.in_function or self.for_types)

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """Return all imports of a file."""
    tree = ast.parse(path.read_text(), str(path))
    functions = _inside(tree, lambda node: isinstance(node, _FUNCTIONS))
    types = _inside(tree, _is_type_checking)
    return tuple(
        Import(module, path, node.lineno, id(node) in functions, id(node) in types)
        for node in ast.walk(tree)
        for module in modules_named(node)
    )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _inside(tree: ast.AST, is_outer: Callable[[ast.AST], bool]) -> set[int]:
    """Return the object identities of the nodes inside those that ``is_outer`` selects."""
    outers = (node for node in ast.walk(tree) if is_outer(node))
    return {id(inner) for outer in outers for inner in ast.walk(outer)}


def modules_named(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports, `from a import b` as both a and a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute in this project"
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
