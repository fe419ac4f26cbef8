"""Command, model and settings of a run, in one small file beside its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edan_ros.recording.files import writing

RUN_FILE = "run.json"
#: Fields of ModelInfo.msg that are recorded.
_MODEL_FIELDS = (
    "name",
    "version",
    "engine",
    "selection_reason",
    "device",
    "precision",
    "input_size",
    "sha256",
    "terms",
)


@dataclass(frozen=True)
class RunInfo:
    """Names and values as text.

    files: what the run writes beside the files of fixed names, relative to its folder.
    """

    model: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()


def describe_model(info: Any) -> dict[str, str]:
    """Return names and values of a ModelInfo of any version, read by any library."""
    values = {name: getattr(info, name, "") for name in _MODEL_FIELDS}
    # ModelInfo of version 0.5 and before has the reason in the field "why".
    values["selection_reason"] = values["selection_reason"] or getattr(info, "why", "")
    return {name.replace("_", " "): str(value) for name, value in values.items() if value}


def write_run_info(folder: Path, info: RunInfo) -> Path:
    """Write the file. Raises RecordingError where it cannot be written."""
    path = folder / RUN_FILE
    record = {"model": info.model, "settings": info.settings}
    text = json.dumps(record | ({"files": info.files} if info.files else {}), indent=2)
    with writing(path):
        path.write_text(text + "\n", encoding="utf-8")
    return path


def read_run_info(folder: Path) -> RunInfo:
    """Return what the file of a folder holds; nothing without one, or for another of its name."""
    try:
        record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return RunInfo()
    if not isinstance(record, dict):
        return RunInfo()
    files = record.get("files")
    names = tuple(str(name) for name in files) if isinstance(files, list) else ()
    return RunInfo(_texts(record.get("model")), _texts(record.get("settings")), names)


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, Mapping):
        return {}
    return {str(name): str(value) for name, value in values.items()}
