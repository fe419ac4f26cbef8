"""The parameter files in config/ are those that the nodes' tables give."""

from __future__ import annotations

from pathlib import Path

import pytest

from edan_ros.nodes.common.parameters import Change, Group, Parameter, render_file
from edan_ros.nodes.tools.parameter_files import render_all

CONFIG = Path(__file__).parents[2] / "config"
REMEDY = "run: python -m edan_ros.nodes.tools.parameter_files config/"


@pytest.mark.parametrize("name", render_all())
def test_the_file_is_up_to_date(name: str) -> None:
    assert (CONFIG / name).read_text(encoding="utf-8") == render_all()[name], REMEDY


def test_a_file_has_the_meaning_range_and_default_of_each_parameter() -> None:
    groups = (
        Group("", (Parameter("rate", 10.0, "decisions per second", low=1, high=20, unit="Hz"),)),
        Group(
            "Output",
            (
                Parameter(
                    "kind", "off", "what to write", change=Change.NEVER, choices=("off", "text")
                ),
                Parameter("names", [""], "of the files", change=Change.CONFIGURE),
            ),
        ),
    )
    assert (
        render_file("pen", "Parameters of the pen.", groups)
        == """# Parameters of the pen.

/**/pen:
  ros__parameters:
    # Decisions per second (1 to 20 Hz) [live]
    rate: 10.0

    # --- Output ---

    # What to write (off, text) [never]
    kind: "off"

    # Of the files [configure]
    names: [""]
"""
    )
