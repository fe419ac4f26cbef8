"""The record beside every model: what file it is, what it says, where it comes from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edan_ros.core.emotions import EMOTIONS, POLARITIES

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
#: What a model does -> the labels that it must have.
TASKS: dict[str, tuple[str, ...]] = {"emotions": EMOTIONS, "detector": ()}
#: Number of classes of an emotion model -> their names.
LABELS: dict[int, tuple[str, ...]] = {len(EMOTIONS): EMOTIONS, len(POLARITIES): POLARITIES}


class EngineError(RuntimeError):
    """A model cannot be run. The message says why and what to do."""


class ModelError(EngineError):
    """A model or its manifest is missing, damaged, or not a model of this package."""


@dataclass(frozen=True)
class Manifest:
    """A model's manifest, ``<name>.json`` beside ``<name>.onnx``.

    path: the ONNX file. task: what the model does, one of TASKS. input_size: side of the square
    crop in pixels, of a detector that of the pictures it was trained on. labels: names of the
    logits in order. outputs: what the graph gives, where that is not all that robots need; such a
    model can only be measured. temperature: logits are divided by it before the softmax (Guo et
    al. 2017).
    class_prior: share of each label in the training set, sum 1. The logits of such a model carry
    no prior; empty for a model whose logits include the class frequencies of its training set.
    presence_threshold: presence above which 1 % of background crops pass for a face.
    precision: how weights are stored. gflop: floating-point operations a face, in 1e9.
    terms: the licence terms that the training data put on the weights. training: command, data
    and seed that made the model. metrics: its figures, each named with set and normalisation.
    """

    path: Path
    name: str
    version: str
    sha256: str
    input_size: int
    task: str = "emotions"
    labels: tuple[str, ...] = EMOTIONS
    outputs: tuple[str, ...] = ()
    temperature: float = 1.0
    class_prior: tuple[float, ...] = ()
    presence_threshold: float = 0.5
    precision: str = "fp32"
    parameters: int = 0
    gflop: float = 0.0
    terms: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def quantised(self) -> bool:
        """Whether the weights are INT8: ``int8``, or ``int8-gpu`` with explicit Q/DQ nodes."""
        return self.precision.startswith("int8")

    def save(self) -> Path:
        """Write the manifest beside its model and return where."""
        values = asdict(self)
        values["file"] = values.pop("path").name
        target = self.path.with_suffix(".json")
        target.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        return target


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shipped_models(task: str | None = "emotions") -> list[str]:
    """Names of the models in the package that do this task, or of all."""
    return sorted(p.stem for p in WEIGHTS.glob("*.json") if task in (None, _parse(p).task))


def load_manifest(model: str | Path, task: str | None = "emotions") -> Manifest:
    """The manifest of a shipped model's name, or of a path to its .onnx or .json file.

    task: what the model must do; None takes any.

    Raises ModelError when either file is missing or unreadable, when the model does another task,
    or when its SHA-256 is not the one in the manifest; the message names the file and both sums.
    """
    path = Path(model)
    if path.suffix not in (".onnx", ".json"):
        path = WEIGHTS / f"{model}.json"
        if not path.is_file():
            raise ModelError(
                f"no model is called {str(model)!r}: shipped are "
                f"{', '.join(shipped_models(task)) or 'none'}; "
                "or give the path of an .onnx file"
            )
    record = path.with_suffix(".json")
    manifest = _parse(record)
    if task not in (None, manifest.task):
        raise ModelError(f"{record} is a model for {manifest.task}; a model for {task} is needed")
    if not manifest.path.is_file():
        raise ModelError(
            f"model file {manifest.path} is missing (expected sha256 "
            f"{manifest.sha256}, found no file)"
        )
    found = sha256_of(manifest.path)
    if found != manifest.sha256:
        raise ModelError(
            f"model file {manifest.path} is damaged or is another model: expected sha256 "
            f"{manifest.sha256}, found {found}; install the package again or export the model anew"
        )
    return manifest


def is_complete(manifest: Manifest) -> bool:
    """Whether a model of emotions gives all that a robot needs."""
    return not manifest.outputs and manifest.labels == EMOTIONS


def require_complete(manifest: Manifest) -> None:
    """Raises ModelError for a model of emotions that a robot cannot use."""
    if not is_complete(manifest):
        given = ", ".join(manifest.outputs or ("all outputs",))
        raise ModelError(
            f"model {manifest.name} gives {given} for {len(manifest.labels)} classes and can only "
            f"be measured: faces are tracked by landmarks and need the {len(EMOTIONS)} emotions; "
            f"take {' or '.join(shipped_models())}, or train an emotional_dan"
        )


def _parse(record: Path) -> Manifest:
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        path = record.parent / Path(values.pop("file")).name
        values["labels"] = tuple(values["labels"])
        values["outputs"] = tuple(values.get("outputs", ()))
        values["class_prior"] = tuple(values.get("class_prior", ()))
        manifest = Manifest(path=path, **values)
    except OSError as error:
        raise ModelError(f"cannot read the manifest {record}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{record} is not a manifest of a model: {error!r}") from error
    _check(manifest, record)
    return manifest


def _check(manifest: Manifest, record: Path) -> None:
    if not isinstance(manifest.input_size, int) or manifest.input_size <= 0:
        raise ModelError(f"{record}: input_size must be a positive number of pixels")
    if not isinstance(manifest.temperature, (int, float)) or not manifest.temperature > 0:
        raise ModelError(f"{record}: temperature must be a number above 0")
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
