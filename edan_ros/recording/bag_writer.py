"""Write a bag that appears under its name only when it is complete."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal

from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import (
    CompressionFormat,
    CompressionMode,
    StoragePlugin,
    Writer,
    WriterError,
)

from edan_ros.recording.files import RecordingError, locked_file, writing

#: Of the metadata: older distributions cannot read a topic's QoS in the newest one.
_VERSION: Literal[8] = 8
#: Errors of rosbags where it cannot write, beside OSError.
_ERRORS = (WriterError, sqlite3.Error)


class BagWriter:
    """A context manager that writes a rosbag2 folder.

    While it is written, the bag lies in a hidden folder beside ``path``; what an interrupted run
    left there is removed. Leaving without an error moves the bag into place in one step.

    Args:
        storage: "sqlite3" or "mcap".
        compression: "none", "file", "message" or "storage" (MCAP's own).
        replace: whether an existing bag may be replaced.

    Raises RecordingError where the folder cannot be written, exists already, or is being written
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
        # rosbags names the file after its folder, and SQLite does not accept every name.
        self._name = path.name if _is_plain(path.name) else "bag"
        self._stack = ExitStack()
        self._connections: dict[str, Connection] = {}
        self._complete = self._discarded = False

    def __enter__(self) -> BagWriter:
        if self.path.exists():
            self._check_replaceable()
        with writing(self.path, *_ERRORS), ExitStack() as opened:
            self._begin(opened)
            self._stack = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            with writing(self.path, *_ERRORS):
                if not self._complete:
                    self._writer.__exit__(kind, error, at)
                if error is None and not self._discarded:
                    self._put_in_place()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._stack.close()

    def complete(self) -> None:
        """Write everything, so that the bag in ``folder`` can be read before it is moved."""
        with writing(self.path, *_ERRORS):
            self._writer.__exit__(None, None, None)
        self._complete = True

    def discard(self) -> None:
        """Remove the bag on leaving instead of moving it."""
        self._discarded = True

    @property
    def kinds(self) -> dict[str, str]:
        """The topics added, and their types."""
        return {name: connection.msgtype for name, connection in self._connections.items()}

    @property
    def folder(self) -> Path:
        """The folder of the bag while it is written; files put there are moved with it."""
        return self._folder / self._name

    @property
    def topics(self) -> Set[str]:
        """Names of the topics added."""
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
        """Add a topic.

        Args:
            kind: "package/msg/Name".
            definition: text of the message's definition, "" for none, which MCAP does not allow.
            digest: hash of the definition.
            encoding: serialisation format.
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
        """Append a message. time: nanoseconds. Raises RecordingError where the disk is full."""
        with writing(self.path, *_ERRORS):
            self._writer.write(self._connections[topic], time, data)

    def _check_replaceable(self) -> None:
        if not self._replace:
            raise RecordingError(
                f"{self.path} exists already: name another with --out, or give --overwrite"
            )
        if not (self.path / "metadata.yaml").is_file():
            raise RecordingError(f"{self.path} exists and is no bag: it is not replaced")

    def _begin(self, stack: ExitStack) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked_file(self._folder / "lock", self.path))
        shutil.rmtree(self.folder, ignore_errors=True)
        folder = self.folder
        if not _is_plain(os.fspath(folder)):
            # rosbags makes a URI of the path without quoting it.
            links = stack.enter_context(tempfile.TemporaryDirectory(prefix="edan_bag_"))
            link = Path(links) / "folder"
            link.symlink_to(self._folder.resolve())
            folder = link / self._name
        writer = Writer(folder, version=_VERSION, storage_plugin=self._storage)
        writer.set_compression(self._compression, CompressionFormat.ZSTD)
        self._writer = writer.__enter__()

    def _put_in_place(self) -> None:
        if self._replace and self.path.exists():
            self.path.rename(self._folder / "before")
        self.folder.rename(self.path)


def _is_plain(name: str) -> bool:
    """Return whether a name means the same in a URI."""
    return name.isascii() and not set(name) & set("%?#")
