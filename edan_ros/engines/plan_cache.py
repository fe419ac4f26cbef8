"""Built plans on disk: found again only when everything they were built from is the same.

A plan is a file that TensorRT has compiled for one GPU. It holds code that the GPU and the
processor run, so it is read only from a folder that nobody else can write to.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from edan_ros.engines.manifest import EngineError

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: Ending of the files in which TensorRT keeps what it has measured while building.
TIMING = ".timing"


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on; it is of use only where every field is the same.

    model: name of the model. onnx: SHA-256 of its file.
    library: tensorrt or tensorrt_rtx, and version its version. capability: compute capability of
    the GPU, '8.7'. gpu, driver: its name and CUDA's version, '' in plans of tensorrt_rtx, which
    run on every GPU of that capability. precision: of the convolutions. profile: the shapes of
    each input, smallest, usual and largest. flags: settings of the builder.
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
        """Name of the plan's file. One file a model, precision, library and kind of GPU: a plan
        that is no longer of use is replaced by the next."""
        kind = f"sm{self.capability.replace('.', '')}"
        return f"{self.model}-{self.precision}-{self.library}-{kind}.plan"


def default_folder() -> Path:
    """Where plans are kept: edan_ros/engines in the user's folder for caches."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edan_ros" / "engines"


class PlanCache:
    """The plans of a folder, each with a record (.json) of what it was built from."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def load(self, key: PlanKey) -> bytes | str:
        """The plan, or the reason why there is none that fits.

        Raises EngineError when others can write to the folder.
        """
        record, plan = self._record(key), self.folder / key.file
        if not record.is_file() or not plan.is_file():
            return "none was built yet"
        self.check()
        for path in (record, plan):
            _check_private(path)
        try:
            known = json.loads(record.read_text(encoding="utf-8"))
            differences = _differences(known["key"], key)
            data = plan.read_bytes()
            whole = hashlib.sha256(data).hexdigest() == known["sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return f"its record {record} cannot be read ({error})"
        if differences:
            return "the one that is there is for " + ", ".join(differences)
        return data if whole else f"{plan} is damaged"

    def store(self, key: PlanKey, plan: bytes) -> Path:
        """Keep a plan: first the plan and then its record, each whole or not at all.

        Raises EngineError when the folder cannot be written to, or others can.
        """
        self.prepare()
        record = {"key": asdict(key), "sha256": hashlib.sha256(plan).hexdigest()}
        path = self.folder / key.file
        self.write(path.name, plan)
        self.write(self._record(key).name, json.dumps(record, indent=2).encode() + b"\n")
        return path

    def write(self, name: str, data: bytes) -> None:
        """Put a file into the folder, whole or not at all: a temporary file, then a rename.

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
        """Every plan with what it was built from, in order of their names."""
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
        """Delete the plans of a model, or all that is the cache's; returns the plans deleted."""
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
        """Hold off others that would build the same plan at the same time.

        Raises EngineError where the folder cannot be written to.
        """
        self.prepare()
        path = self.folder / f".{key.file}.lock"
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(path.open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise EngineError(f"cannot lock {path}: {error.strerror}") from error
            yield

    def prepare(self) -> None:
        """Make the folder, for its owner alone, and check it. Raises EngineError."""
        try:
            # One by one: with parents=True, mkdir makes all but the last as the umask says.
            for folder in (*reversed(self.folder.parents), self.folder):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EngineError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        self.check()

    def check(self) -> None:
        """Raise EngineError where somebody else could put a plan into the folder."""
        whole = self.folder.resolve()
        _check_private(whole)
        for parent in whole.parents:
            _check_private(parent, shared_with_sticky_bit=True)

    def _record(self, key: PlanKey) -> Path:
        return (self.folder / key.file).with_suffix(".json")


def _check_private(path: Path, *, shared_with_sticky_bit: bool = False) -> None:
    """Raise EngineError unless only the user and root can write to a path.

    In a folder with the sticky bit, as /tmp has it, nobody can replace what belongs to another.
    """
    found = path.stat()
    sticky = shared_with_sticky_bit and found.st_mode & stat.S_ISVTX
    if found.st_mode & OTHERS_WRITE and not sticky:
        raise EngineError(
            f"{path} can be written to by other users, and a plan is executable code: "
            f"chmod go-w {path}"
        )
    if found.st_uid not in (os.getuid(), 0):
        raise EngineError(
            f"{path} belongs to another user (uid {found.st_uid}), and a plan is executable code: "
            "set XDG_CACHE_HOME to a folder of your own"
        )


def _differences(known: dict[str, str], key: PlanKey) -> list[str]:
    """What a plan was built from that is now something else, for people."""
    wanted = asdict(key)
    return [
        f"{name} {_short(str(known.get(name)))} (now {_short(value)})"
        for name, value in wanted.items()
        if known.get(name) != value
    ]


def _short(value: str) -> str:
    return value[:12] if len(value) == 64 else value or "any"
