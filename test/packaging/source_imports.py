"""What Python files import, read from their syntax trees without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One import: the module named, the file and line, and whether it runs when the file loads."""

    module: str
    path: Path
    line: int
    at_load: bool

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file; those under `if TYPE_CHECKING` or in a function are not at load."""
    tree = ast.parse(path.read_text(), str(path))
    later = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test))
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        for module in modules_named(node):
            yield Import(module, path, node.lineno, id(node) not in later)


def modules_named(node: ast.AST) -> list[str]:
    """The modules that an import statement names, `from a import b` as both a and a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute in this project"
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
