"""Writes a bag that appears under its name only when it is complete."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import Sequence, Set
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import (
    CompressionFormat,
    CompressionMode,
    StoragePlugin,
    Writer,
    WriterError,
)

from edan_ros.recording.errors import RecordingError, writing

#: Of the metadata: with the newest one, older distributions could not read a topic's QoS.
_VERSION = 8
#: What rosbags raises where it cannot write, beside OSError.
_ERRORS = (WriterError, sqlite3.Error)


class BagWriter:
    """A context manager that writes a rosbag2 folder.

    While it is written the bag lies in a hidden folder beside ``path``; what an interrupted run
    left there is removed. Leaving without an error puts the bag in place, in one step.

    storage: "sqlite3" or "mcap". compression: "none", "file", "message" or "storage" (MCAP's own).
    replace: whether a bag that is there already may be replaced.

    Raises RecordingError where the folder cannot be written, is there already, or is being written
    by another process.
    """

    def __init__(
        self, path: Path, storage: str, compression: str = "none", *, replace: bool = False
    ) -> None:
        self.path = path
        self._storage = StoragePlugin[storage.upper()]
        self._compression = CompressionMode[compression.upper()]
        self._replace = replace
        self._folder = path.parent / f".{path.name}.unfinished"
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        if self.path.exists():
            self._check_replaceable()
        with writing(self.path, *_ERRORS):
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            with writing(self.path, *_ERRORS):
                self._writer.__exit__(kind, error, at)
                if error is None:
                    self._put_in_place()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.close()

    @property
    def folder(self) -> Path:
        """Where the bag lies while it is written; files put there come along."""
        return self._folder / self.path.name

    @property
    def topics(self) -> Set[str]:
        """The names of the topics added."""
        return self._connections.keys()

    def add_topic(
        self,
        name: str,
        kind: str,
        definition: str,
        digest: str,
        qos: Sequence[Qos] = (),
        encoding: str = "cdr",
    ) -> None:
        """Announce a topic. definition: text of the message's definition. digest: its hash.

        Without a definition the bag gets none of it; MCAP does not allow that.
        """
        if not definition:
            self._writer.added_types.add(kind)
        self._connections[name] = self._writer.add_connection(
            name,
            kind,
            msgdef=definition,
            rihs01=digest,
            serialization_format=encoding,
            offered_qos_profiles=qos,
        )

    def write(self, topic: str, time: int, data: bytes) -> None:
        """Append a message. time: nanoseconds. Raises RecordingError when the disk is full."""
        with writing(self.path, *_ERRORS):
            self._writer.write(self._connections[topic], time, data)

    def _check_replaceable(self) -> None:
        if not self._replace:
            raise RecordingError(
                f"{self.path} is there already: name another with --out, or give --overwrite"
            )
        if not (self.path / "metadata.yaml").is_file():
            raise RecordingError(f"{self.path} is there and is no bag: it is left as it is")

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise RecordingError(f"another process is writing {self.path} now") from None
        shutil.rmtree(self.folder, ignore_errors=True)
        writer = Writer(self.folder, version=_VERSION, storage_plugin=self._storage)
        writer.set_compression(self._compression, CompressionFormat.ZSTD)
        self._writer = writer.__enter__()

    def _put_in_place(self) -> None:
        if self._replace and self.path.exists():
            self.path.rename(self._folder / "before")
        self.folder.rename(self.path)
