"""Files and folders that a run writes: errors, one writer per folder, names, single images."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil
from filelock import FileLock, Timeout
from numpy.typing import NDArray

#: The file that is locked, in the folder itself.
LOCK_FILE = ".edan.lock"


class RecordingError(RuntimeError):
    """Something cannot be written. The message is one sentence: what, and what to do."""


@contextmanager
def writing(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn errors in the block into a RecordingError that names the path and the reason.

    errors: exceptions to turn beside OSError.
    """
    handled: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except handled as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path} cannot be written: {reason}") from error


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make a folder and keep every other process from writing to it.

    The operating system releases the lock when the process ends, however it ends. A new folder to
    which nothing was written is removed again.

    Raises RecordingError where another process writes there, or the folder cannot be written.
    """
    is_new = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked_file(folder / LOCK_FILE, folder):
            yield
    finally:
        if is_new and {path.name for path in folder.iterdir()} <= {LOCK_FILE}:
            (folder / LOCK_FILE).unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def locked_file(lock: Path, target: Path) -> Iterator[None]:
    """Hold a lock file while ``target`` is written. Raises RecordingError, see above."""
    held = FileLock(lock, thread_local=False)
    try:
        held.acquire(blocking=False)
    except Timeout:
        raise RecordingError(
            f"another run is writing {target} now: wait for its end, or name another with --out"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise RecordingError(f"{target} cannot be written: {reason}") from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, and rename it to ``path`` when the block succeeds.

    Makes the folder. A process that is killed leaves ``path`` as it was, and a temporary file that
    ``remove_unfinished`` finds. Raises RecordingError where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of ``replacing`` whose process on this machine has ended."""
    for path in folder.glob(f".*.{platform.node()}.*.part"):
        number = path.name.split(".")[-2]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            path.unlink(missing_ok=True)


class Stems:
    """Names of output files: those of the input images without their suffix.

    Two of one name, in two folders or of two formats, are numbered.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, name: str) -> str:
        """Return the stem for the next image."""
        first = stem = Path(name).stem
        number = 2
        while stem in self._used:
            stem, number = f"{first}_{number}", number + 1
        self._used.add(stem)
        return stem


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a BGR image in the format of its suffix.

    Raises RecordingError where it cannot be written completely, which ``cv2.imwrite`` ignores.
    """
    _, data = cv2.imencode(path.suffix, pixels)
    with writing(path):
        path.write_bytes(data.tobytes())
