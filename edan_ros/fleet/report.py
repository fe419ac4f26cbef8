"""The report on a fleet: one page with figures, failures and a table of all recordings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edan_ros.core.emotions import EMOTIONS, UNKNOWN_LABEL
from edan_ros.core.wording import plural
from edan_ros.drawing.pages import page_environment, stylesheet
from edan_ros.fleet.batch import mostly
from edan_ros.fleet.processing import Record
from edan_ros.recording.files import replacing

PAGE = "report.html"


def write_report(out: Path, records: Sequence[Record]) -> Path:
    """Write the page, which holds all it shows, and return the file.

    Args:
        out: folder to write to.
        records: one for each recording.

    Raises:
        ModuleNotFoundError: without jinja2.
        RecordingError: if the page cannot be written.
    """
    done = [record for record in records if not record.error]
    failed = [record for record in records if record.error]
    root = _common_folder([record.recording for record in records])
    total = sum((Counter(record.labels) for record in done), Counter[str]())
    environment = page_environment("edan_ros.fleet", ".")
    text = environment.get_template(PAGE).render(
        title=plural(len(records), "recording"),
        folder=root,
        style=stylesheet(),
        figures=_figures(done, failed),
        shares=_shares(total),
        failed=[{"name": _name(record, root), "error": record.error} for record in failed],
        rows=[_row(record, root) for record in done],
    )
    path = out / PAGE
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _figures(done: Sequence[Record], failed: Sequence[Record]) -> list[dict[str, str]]:
    images = sum(record.images for record in done)
    seconds = sum(record.seconds for record in done)
    work = sum(record.processing_seconds for record in done)
    faces = sum(record.faces for record in done)
    share = sum(record.images_with_face for record in done) / max(images, 1)
    models = ", ".join(sorted({record.model for record in done}))
    speed = f"{images / work:.0f}/s" if work else "none"
    real_time = f"images, {seconds / work:.1f} times real time" if work and seconds else "images"
    rows = [
        ("Finished", f"{len(done)} of {len(done) + len(failed)}", models),
        ("Failed", str(len(failed)), "named below" if failed else ""),
        ("Recorded", _duration(seconds), plural(images, "image")),
        ("Faces", f"{faces:,}", f"in {100 * share:.0f} % of the images"),
        ("People", f"{sum(record.people for record in done):,}", "tracks of all recordings"),
        ("Speed of one worker", speed, real_time),
    ]
    return [{"name": name, "value": value, "more": more} for name, value, more in rows]


def _row(record: Record, root: str) -> dict[str, Any]:
    work = record.processing_seconds
    return {
        "name": _name(record, root),
        "length": _duration(record.seconds) if record.seconds else "",
        "images": record.images,
        "faces": record.faces,
        "people": record.people or "",
        "mostly": mostly(record.labels),
        "shares": _shares(Counter(record.labels)),
        "speed": f"{record.images / work:.0f}/s" if work else "",
        "notes": record.notes,
    }


def _shares(labels: Counter[str]) -> list[tuple[str, float]]:
    """Return label and percentage of all faces, of the labels that occur."""
    count = max(labels.total(), 1)
    return [
        (name, 100 * labels[name] / count) for name in (*EMOTIONS, UNKNOWN_LABEL) if labels[name]
    ]


def _name(record: Record, root: str) -> str:
    name = os.path.relpath(record.recording, root) if root else record.recording
    return f"{name} {record.topic}".rstrip()


def _common_folder(paths: Sequence[str]) -> str:
    """Return the folder that holds all recordings; "" without any."""
    folders = [os.path.dirname(path) for path in paths]
    return os.path.commonpath(folders) if folders else ""


def _duration(seconds: float) -> str:
    """Return 7.5 s, 3 min 20 s or 12 h 05 min."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )
