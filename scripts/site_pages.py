"""Pages of the documentation that mkdocs generates from their one definition in the sources.

mkdocs.yml names this file as a hook. Generated are the reference of the messages (msg/, srv/), the
parameters (the nodes' tables) and the command line (argparse), and the pages whose source is in the
root of the repository, such as the changelog.
"""

from __future__ import annotations

import argparse
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: File in the root of the repository -> its page.
ROOT_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "MODEL_CARD.md": "model-card.md",
}
#: Title of the group of arguments that several commands share.
SETTINGS = "settings of detector, tracking and recognition"

_DECLARATION = re.compile(
    r"(?P<type>[\w/\[\]]+)\s+(?P<name>\w+)(?:\s*=\s*(?P<value>\S+)|\s+(?P<default>[^#\s]\S*))?"
    r"\s*(?:#\s*(?P<comment>.*))?"
)


@dataclass
class Declaration:
    """One line of an interface: a constant if it has a value, else a field.

    group: the comment above the block of lines that it belongs to.
    """

    type: str
    name: str
    value: str
    default: str
    meaning: str
    group: str


@dataclass
class Section:
    """The part of an interface up to the next ``---``."""

    introduction: str = ""
    declarations: list[Declaration] = field(default_factory=list)


def read_interface(path: Path) -> list[Section]:
    """Return the sections of a .msg file (one) or a .srv file (request and response).

    Raises ValueError for a line that is not understood.
    """
    sections = [Section()]
    comments: list[str] = []
    group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        section = sections[-1]
        if line.startswith("#"):
            comments.append(line.lstrip("# "))
            continue
        if comments and not section.introduction and not section.declarations:
            section.introduction = "\n".join(comments)
        elif comments:
            group = "\n".join(comments)
        comments = []
        if line == "---":
            sections.append(Section())
        if not line.strip() or line == "---":
            group = ""
        else:
            match = _DECLARATION.fullmatch(line)
            if match is None:
                raise ValueError(f"{path.name}: {line!r} is not understood")
            kind, name, value, default, comment = match.groups(default="")
            section.declarations.append(Declaration(kind, name, value, default, comment, group))
    return sections


def messages_page() -> str:
    """Return the reference of all messages and services."""
    lines = [
        "# Messages and services",
        "",
        "Print a definition in a terminal: `ros2 interface show edan_ros/msg/FaceEmotion`.",
    ]
    for path in sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]):
        lines += ["", f"## {path.stem}", "", f"`edan_ros/{path.parent.name}/{path.stem}`"]
        for number, section in enumerate(read_interface(path)):
            if path.suffix == ".srv":
                lines += ["", f"### {path.stem}: {('request', 'response')[number]}"]
            if section.introduction:
                lines += ["", section.introduction]
            constants = [item for item in section.declarations if item.value]
            fields = [item for item in section.declarations if not item.value]
            for group, items in groupby(constants, key=lambda item: item.group):
                rows = ((f"`{item.name}`", f"`{item.value}`", item.meaning) for item in items)
                lines += ["", group, "", *table(("constant", "value", "meaning"), rows)]
            rows = ((f"`{item.name}`", f"`{item.type}`", item.meaning) for item in fields)
            lines += ["", *table(("field", "type", "meaning"), rows)]
    return "\n".join(lines) + "\n"


def parameter_tables() -> dict[str, list[tuple[str, Sequence[Any]]]]:
    """Return, by node, the groups of its parameters: (title, parameters).

    Raises RuntimeError where ROS 2 is not installed.
    """
    try:
        from edan_ros.nodes.behaviors import (
            announcer_node,
            humanoid_node,
            people_context_node,
            ros4hri_node,
            vehicle_node,
        )
        from edan_ros.nodes.camera.parameters import PARAMETERS
        from edan_ros.nodes.emotion.parameters import GROUPS
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"the reference of the parameters needs ROS 2 ({error}): run make docs"
        ) from error

    nodes: dict[str, list[tuple[str, Sequence[Any]]]] = {
        "emotion_node": [(group.title, group.parameters) for group in GROUPS],
        "camera_node": [("", PARAMETERS)],
    }
    behaviors = vehicle_node, humanoid_node, announcer_node, ros4hri_node, people_context_node
    for module in behaviors:
        name = module.__name__.rpartition(".")[2]
        nodes[name] = [(group.title, group.parameters) for group in module.GROUPS]
    return nodes


def parameters_page() -> str:
    """Return the reference of the parameters of all nodes."""
    lines = [
        "# Parameters",
        "",
        "Set one at the start (`-p smoothing_time:=0.8`, or a copy of the node's file in "
        "`config/`), or on a running node:",
        "",
        "```sh",
        "ros2 param set /emotion_node smoothing_time 0.8",
        "```",
        "",
        "| change | meaning |",
        "|---|---|",
        "| live | may change while the node runs, and takes effect at once |",
        "| configure | may change while the node is unconfigured |",
        "| never | read once, at the start |",
        "",
        "The settings of detector, tracking and recognition have the same names in "
        "[`FaceAnalyzer`](python.md) and, with dashes, on the [command line](cli.md).",
    ]
    for node, groups in parameter_tables().items():
        lines += ["", f"## {node}"]
        for title, parameters in groups:
            if title:
                lines += ["", f"### {node}: {title.lower()}"]
            rows = (
                (
                    f"`{item.name}`",
                    f"`{_value(item.default)}`",
                    item.range,
                    item.change.name.lower(),
                    item.help,
                )
                for item in parameters
            )
            lines += ["", *table(("parameter", "default", "range", "change", "meaning"), rows)]
    return "\n".join(lines) + "\n"


def command_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all commands and subcommands by their name, such as "edan bag"."""
    from edan_ros.cli import main

    parsers: dict[str, argparse.ArgumentParser] = {}

    def collect(parser: argparse.ArgumentParser) -> None:
        for action in parser._actions:  # argparse has no public list of them
            if isinstance(action, argparse._SubParsersAction):
                summaries = {choice.dest: choice.help for choice in action._choices_actions}
                for name, child in action.choices.items():
                    child.description = child.description or summaries.get(name)
                    parsers[child.prog] = child
                    collect(child)

    collect(main.parser())
    return parsers


def cli_page() -> str:
    """Return the reference of the command line."""
    lines = [
        "# Command line",
        "",
        "In a colcon workspace, write `ros2 run edan_ros edan` for `edan`. Exit codes: 0 success, "
        "1 failure, 2 wrong command line, 128 plus the number of the signal that ended the "
        "command.",
    ]
    shared: list[argparse.Action] = []
    for name, parser in command_parsers().items():
        level = "##" if name.count(" ") == 1 else "###"
        lines += ["", f"{level} {name}", "", sentence(parser.description or "")]
        own: list[argparse.Action] = []
        takes_settings = False
        for group in parser._action_groups:
            actions = [action for action in group._group_actions if _documented(action)]
            if group.title == SETTINGS and actions:
                shared, takes_settings = actions, True
            else:
                own += actions
        if own:
            lines += ["", *table(("argument", "meaning"), map(_argument, own))]
        if takes_settings:
            lines += ["", "It also takes all [settings](#settings)."]
    lines += ["", "## Settings", "", f"The {SETTINGS}, of every command that has them."]
    lines += ["", *table(("argument", "meaning"), map(_argument, shared))]
    return "\n".join(lines) + "\n"


def _documented(action: argparse.Action) -> bool:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)
    return not isinstance(action, hidden) and action.help != argparse.SUPPRESS


def _argument(action: argparse.Action) -> tuple[str, str]:
    formatter = argparse.HelpFormatter(prog="edan")
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    if not names:
        names = f"`{action.metavar if isinstance(action.metavar, str) else action.dest}`"
    elif action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction):
        arguments = formatter._format_args(action, action.dest.upper())
        if action.choices is not None and action.metavar is None:
            arguments = "{" + ", ".join(map(str, action.choices)) + "}"
        names += f" `{arguments}`"
    meaning = formatter._expand_help(action) if action.help else ""
    return names, meaning.replace(str(Path.home()), "~")


def _value(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:.12g}" if default % 1 else f"{default:.1f}"
    if isinstance(default, str):
        return default or "''"
    return str(default)


def sentence(text: str) -> str:
    """Return the text with a capital letter and a full stop."""
    return text and text[0].upper() + text[1:].rstrip(".") + "."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; line breaks and bars in cells are escaped."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        yield "| " + " | ".join(cells) + " |"


GENERATED = {
    "reference/cli.md": cli_page,
    "reference/messages.md": messages_page,
    "reference/parameters.md": parameters_page,
}


def root_page(name: str) -> str:
    """Return a page whose source is in the root of the repository, with its links adapted."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    for source, page in ROOT_PAGES.items():
        text = text.replace(f"]({source}", f"]({page}")
    return text


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (hook of mkdocs)."""
    from mkdocs.structure.files import File

    for page, build in GENERATED.items():
        files.append(File.generated(config, page, content=build()))
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=root_page(name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to files in the root of the repository to their pages (hook of mkdocs)."""
    folder = posixpath.dirname(page.file.src_uri)

    def to_page(match: re.Match[str]) -> str:
        target = ROOT_PAGES.get(match[1])
        return f"]({posixpath.relpath(target, folder or '.')}" if target else match[0]

    return re.sub(r"\]\((?:\.\./)+([A-Z_]+\.md)", to_page, markdown)
