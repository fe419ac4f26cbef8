"""Model manifests: the JSON file beside each model that identifies and describes it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from edan_ros.core.emotions import EMOTIONS, POLARITIES
from edan_ros.core.inference import Manifest as Manifest
from edan_ros.core.wording import did_you_mean

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
#: Task of a model -> labels that it must have.
TASKS: dict[str, tuple[str, ...]] = {"emotions": EMOTIONS, "detector": (), "eyes": ()}
#: Number of classes of an emotion model -> names of the classes.
LABELS: dict[int, tuple[str, ...]] = {len(EMOTIONS): EMOTIONS, len(POLARITIES): POLARITIES}


class EngineError(RuntimeError):
    """A model cannot be run. The message gives the cause and the remedy."""


class ModelError(EngineError):
    """A model or its manifest is missing, damaged, or does not belong to this package."""


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shipped_models(task: str | None = "emotions") -> list[str]:
    """Return the names of the models in the package with this task; None returns all."""
    return sorted(p.stem for p in WEIGHTS.glob("*.json") if task in (None, _parse(p).task))


def load_manifest(model: str | Path, task: str | None = "emotions") -> Manifest:
    """Load and verify the manifest of a model.

    Args:
        model: name of a shipped model, or path of an .onnx or .json file.
        task: task that the model must have; None accepts any.

    Raises:
        ModelError: if either file is missing or unreadable, if the model has another task, or if
            its SHA-256 differs from the manifest's; the message names the file and both sums.
    """
    path = Path(model)
    if path.suffix not in (".onnx", ".json"):
        path = WEIGHTS / f"{model}.json"
        if not path.is_file():
            raise ModelError(
                f"no model is called {str(model)!r}: choose one of "
                f"{', '.join(shipped_models(task)) or '(none ships)'} or give the path of an "
                f".onnx file{did_you_mean(str(model), shipped_models(task))}"
            )
    record = path.with_suffix(".json")
    manifest = _parse(record)
    if task not in (None, manifest.task):
        raise ModelError(f"{record} is a model for {manifest.task}: give a model for {task}")
    if not manifest.path.is_file():
        raise ModelError(
            f"model file {manifest.path} is missing (expected sha256 {manifest.sha256}): "
            "install the package again or export the model again"
        )
    found = sha256_of(manifest.path)
    if found != manifest.sha256:
        raise ModelError(
            f"model file {manifest.path} is damaged or is another model: expected sha256 "
            f"{manifest.sha256}, found {found}; install the package again or export the model again"
        )
    return manifest


def is_complete(manifest: Manifest) -> bool:
    """Return whether an emotion model has all outputs and labels that the pipeline needs."""
    return not manifest.outputs and manifest.labels == EMOTIONS


def require_complete(manifest: Manifest) -> None:
    """Raise ModelError for an emotion model that the pipeline cannot use."""
    if not is_complete(manifest):
        given = ", ".join(manifest.outputs or ("all outputs",))
        raise ModelError(
            f"model {manifest.name} has {given} for {len(manifest.labels)} classes and can only be "
            f"evaluated: tracking needs landmarks and the {len(EMOTIONS)} emotions; use "
            f"{' or '.join(shipped_models())}, or train an emotional_dan"
        )


def _parse(record: Path) -> Manifest:
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        path = record.parent / Path(values.pop("file")).name
        values["labels"] = tuple(values["labels"])
        values["outputs"] = tuple(values.get("outputs", ()))
        for name in ("class_prior", "resting_logits"):
            values[name] = tuple(values.get(name, ()))
        manifest = Manifest(path=path, **values)
    except OSError as error:
        model = record.with_suffix(".onnx")
        if not (record.exists() or model.exists()):
            raise ModelError(f"there is no model {model}") from error
        raise ModelError(f"cannot read the manifest {record}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{record} is not a model manifest: {error!r}") from error
    _check(manifest, record)
    return manifest


def _check(manifest: Manifest, record: Path) -> None:
    if not isinstance(manifest.input_size, int) or manifest.input_size <= 0:
        raise ModelError(
            f"{record}: input_size is {manifest.input_size!r}; it must be a positive integer"
        )
    if not isinstance(manifest.temperature, (int, float)) or not manifest.temperature > 0:
        raise ModelError(
            f"{record}: temperature is {manifest.temperature!r}; it must be a number above 0"
        )
    prior = manifest.class_prior
    if prior and not (
        len(prior) == len(manifest.labels)
        and all(isinstance(share, (int, float)) and share > 0 for share in prior)
        and abs(sum(prior) - 1.0) < 1e-3
    ):
        raise ModelError(
            f"{record}: class_prior is {list(prior)}; it needs {len(manifest.labels)} shares above "
            "0 that sum to 1"
        )
    expected = TASKS.get(str(manifest.task))
    if expected is None:
        raise ModelError(f"{record}: task is {manifest.task!r}; expected {' or '.join(TASKS)}")
    if manifest.labels != expected and (
        manifest.task != "emotions" or manifest.labels not in LABELS.values()
    ):
        raise ModelError(
            f"{record}: labels are {', '.join(map(str, manifest.labels))}; "
            f"expected {', '.join(expected)}"
        )
    if manifest.outputs and "logits" not in manifest.outputs:
        raise ModelError(f"{record}: outputs are {manifest.outputs}; logits must be among them")
