"""Cache of TensorRT plans on disk; a plan is reused only where nothing that it depends on changed.

A plan is a file that TensorRT compiled for one GPU. It holds code that the GPU and the processor
execute, so it is loaded only from a folder that other users cannot write to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from edan_ros.engines.manifest import EngineError

GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: Suffix of TensorRT's timing caches, the measurements of earlier builds.
TIMING = ".timing"


@dataclass(frozen=True)
class PlanKey:
    """Everything that a plan depends on; a plan is valid only where every field is equal.

    Attributes:
        model: name of the model.
        onnx: SHA-256 of its ONNX file.
        library: ``tensorrt`` or ``tensorrt_rtx``.
        version: version of the library.
        capability: compute capability of the GPU, ``8.7`` for example.
        gpu: name of the GPU; empty for tensorrt_rtx, whose plans run on every GPU of the same
            compute capability.
        driver: CUDA version of the driver; empty for tensorrt_rtx.
        precision: precision of the convolutions.
        profile: smallest, usual and largest shape of each input.
        flags: settings of the builder.
    """

    model: str
    onnx: str
    library: str
    version: str
    capability: str
    gpu: str
    driver: str
    precision: str
    profile: str
    flags: str

    @property
    def file(self) -> str:
        """Name of the plan's file, one per model, precision, library and compute capability.

        A new plan therefore replaces the one that is no longer valid.
        """
        kind = f"sm{self.capability.replace('.', '')}"
        return f"{self.model}-{self.precision}-{self.library}-{kind}.plan"


def default_folder() -> Path:
    """Return the folder for plans, ``edan_ros/engines`` in the user's cache folder."""
    return user_cache_path("edan_ros") / "engines"


class PlanCache:
    """The plans in a folder, each with a record (.json) of its key.

    Args:
        folder: where the plans are; None selects :func:`default_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def load(self, key: PlanKey) -> bytes | str:
        """Return the plan, or the reason why there is no valid one.

        Raises EngineError when other users can write to the folder.
        """
        record, plan = self._record(key), self.folder / key.file
        if not record.is_file() or not plan.is_file():
            return "no plan was built yet"
        self.check()
        for path in (record, plan):
            _check_private(path)
        try:
            known = json.loads(record.read_text(encoding="utf-8"))
            differences = _differences(known["key"], key)
            data = plan.read_bytes()
            intact = hashlib.sha256(data).hexdigest() == known["sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return f"the record {record} cannot be read ({error})"
        if differences:
            return "the existing plan is for " + ", ".join(differences)
        return data if intact else f"{plan} is damaged"

    def store(self, key: PlanKey, plan: bytes) -> Path:
        """Write a plan and then its record, each atomically, and return the path of the plan.

        Raises EngineError when the folder cannot be written to, or other users can write to it.
        """
        self.prepare()
        record = {"key": asdict(key), "sha256": hashlib.sha256(plan).hexdigest()}
        path = self.folder / key.file
        self.write(path.name, plan)
        self.write(self._record(key).name, json.dumps(record, indent=2).encode() + b"\n")
        return path

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically: to a temporary file, which is then renamed.

        Raises EngineError when that fails.
        """
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.folder / name)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise EngineError(f"cannot write {self.folder / name}: {error.strerror}") from error

    def plans(self) -> list[tuple[Path, PlanKey]]:
        """Return every plan with its key, sorted by file name."""
        found = []
        for record in sorted(self.folder.glob("*.json")):
            plan = record.with_suffix(".plan")
            try:
                values = json.loads(record.read_text(encoding="utf-8"))["key"]
                key = PlanKey(**{field.name: values[field.name] for field in fields(PlanKey)})
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if plan.is_file():
                found.append((plan, key))
        return found

    def clear(self, model: str | None = None) -> list[Path]:
        """Delete the plans of a model, or all files of the cache; return the deleted plans."""
        plans = sorted(self.folder.glob("*.plan"))
        if model is not None:
            plans = [plan for plan, key in self.plans() if key.model == model]
        for plan in plans:
            plan.unlink(missing_ok=True)
            plan.with_suffix(".json").unlink(missing_ok=True)
        if model is None:
            for pattern in (f"*{TIMING}", ".*.lock"):
                for path in self.folder.glob(pattern):
                    path.unlink(missing_ok=True)
        return plans

    @contextlib.contextmanager
    def locked(self, key: PlanKey) -> Iterator[None]:
        """Hold a lock so that other processes and threads do not build the same plan.

        Raises EngineError when the folder cannot be written to.
        """
        self.prepare()
        path = self.folder / f".{key.file}.lock"
        lock = FileLock(path, mode=0o600)
        try:
            lock.acquire()
        except OSError as error:
            raise EngineError(f"cannot lock {path}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def prepare(self) -> None:
        """Create the folder, readable by its owner only, and check it. Raises EngineError."""
        try:
            # One by one: mkdir(parents=True) applies the mode to the last folder only.
            for folder in (*reversed(self.folder.parents), self.folder):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"cannot create the folder {self.folder}: {error.strerror}"
            ) from error
        self.check()

    def check(self) -> None:
        """Raise EngineError when another user could place a plan in the folder."""
        resolved = self.folder.resolve()
        _check_private(resolved)
        for parent in resolved.parents:
            _check_private(parent, allow_sticky=True)

    def _record(self, key: PlanKey) -> Path:
        return (self.folder / key.file).with_suffix(".json")


def _check_private(path: Path, *, allow_sticky: bool = False) -> None:
    """Raise EngineError unless only the user and root can write to a path.

    allow_sticky: accept folders with the sticky bit, such as /tmp, in which users cannot replace
    the files of others.
    """
    status = path.stat()
    sticky = allow_sticky and status.st_mode & stat.S_ISVTX
    if status.st_mode & GROUP_OR_OTHERS_WRITE and not sticky:
        raise EngineError(
            f"{path} can be written to by other users, and a plan is executable code: "
            f"chmod go-w {path}"
        )
    if status.st_uid not in (os.getuid(), 0):
        raise EngineError(
            f"{path} belongs to another user (uid {status.st_uid}), and a plan is executable "
            "code: set XDG_CACHE_HOME to a folder of your own"
        )


def _differences(known: dict[str, str], key: PlanKey) -> list[str]:
    """Describe the fields in which a stored key differs from the wanted one."""
    return [
        f"{name} {_short(str(known.get(name)))} (now {_short(value)})"
        for name, value in asdict(key).items()
        if known.get(name) != value
    ]


def _short(value: str) -> str:
    return value[:12] if len(value) == 64 else value or "any"
