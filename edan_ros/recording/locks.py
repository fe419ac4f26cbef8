"""One writer per output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from edan_ros.recording.errors import RecordingError, writing

#: The file that is locked, in the folder itself.
LOCK_FILE = ".edan.lock"


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
