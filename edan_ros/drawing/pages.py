"""The look that HTML pages share: report, live view, evaluation."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from edan_ros.drawing.colours import EMOTION_COLOURS

if TYPE_CHECKING:
    import jinja2


def stylesheet() -> str:
    """Return the CSS of a page, light and dark by the reader's preference.

    Every ``section`` of the page is a card; ``section.tiles dl`` shows figures, ``.scroll`` holds a
    wide table, and ``--LABEL`` is the colour of an emotion label, as in images.
    """
    colours = "".join(f"  --{label}: {colour_code(label)};\n" for label in EMOTION_COLOURS)
    css = resources.files("edan_ros.drawing").joinpath("page.css").read_text(encoding="utf-8")
    return f"{css}:root {{\n{colours}}}\n"


def colour_code(label: str) -> str:
    """Return the colour of a label, as in images, for CSS."""
    blue, green, red = EMOTION_COLOURS[label]
    return f"#{red:02x}{green:02x}{blue:02x}"


def page_environment(package: str, folder: str) -> jinja2.Environment:
    """Return the environment of the page templates in a folder of a package."""
    import jinja2  # an extra, which only pages that are written need

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
