"""The messages and services: importable, documented field by field, with the agreed constants."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INTERFACES = sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")])
FIELD = re.compile(
    r"^(?P<type>[\w/\[\]<=]+)\s+(?P<name>\w+)"
    r"(?:(?P<constant>\s*=\s*[^#]+?)|\s+(?P<default>-?\w[\w.]*))?\s*$"
)


def field_lines(path: Path) -> list[str]:
    """Return the lines of an interface file that define a field or a constant."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#") and line != "---"]


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_field_is_documented(path: Path) -> None:
    assert path.read_text().startswith("# "), "the file begins with the purpose of the interface"
    for line in field_lines(path):
        definition, _, comment = line.partition("#")
        match = FIELD.match(definition)
        assert match, f"not a field: {line}"
        empty = {"", match["name"].lower()}
        assert comment.strip().lower() not in empty, f"no comment on the field: {line}"


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_number_has_a_unit_or_a_range(path: Path) -> None:
    known = re.compile(r"-?\d.* to |pixels|metres|radians|seconds")
    for line in field_lines(path):
        definition, _, comment = line.partition("#")
        if definition.startswith(("float", "uint32")) and "=" not in definition:
            is_count = re.search(r"track|number of", comment)
            assert known.search(comment) or is_count, f"no unit or range: {line}"


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_installed_interface_has_the_fields_of_the_source(path: Path) -> None:
    pytest.importorskip("rclpy")
    module = __import__(f"edan_ros.{path.suffix[1:]}", fromlist=[path.stem])
    interface = getattr(module, path.stem)
    parts = [interface] if path.suffix == ".msg" else [interface.Request, interface.Response]
    installed = [name for part in parts for name in part.get_fields_and_field_types()]
    matches = [FIELD.match(line.partition("#")[0]) for line in field_lines(path)]
    assert installed == [match["name"] for match in matches if match and not match["constant"]]


def test_constants_follow_the_order_of_the_emotions() -> None:
    message = pytest.importorskip("edan_ros.msg").FaceEmotion
    names = ["NEUTRAL", "HAPPY", "SAD", "SURPRISE", "FEAR", "DISGUST", "ANGER"]
    assert [getattr(message, name) for name in names] == list(range(7))
    assert message.UNKNOWN == 255
    polarities = ["POLARITY_NEUTRAL", "POLARITY_POSITIVE", "POLARITY_NEGATIVE"]
    assert [getattr(message, name) for name in polarities] == [0, 1, 2]
    assert message.POLARITY_UNKNOWN == 255


@pytest.mark.parametrize("folder", [ROOT, Path("/")], ids=["repository root", "elsewhere"])
def test_messages_and_sources_are_imported_under_one_name(folder: Path) -> None:
    pytest.importorskip("rclpy")
    code = "import edan_ros.msg, edan_ros.srv, edan_ros.core.emotions; print('imported')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == "imported\n", done.stderr
