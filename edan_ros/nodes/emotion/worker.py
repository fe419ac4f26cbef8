"""A thread that always processes the newest item of each source and drops older ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestWorker(Generic[T]):
    """Calls ``work`` with the newest item of every source that has one, on a thread of its own.

    An item that is not taken before the next one of its source is replaced, so that no item is
    older than one call of ``work``, whatever the load.

    Args:
        work: called with {source: item}, never concurrently.
        on_error: called with what ``work`` raises; the thread then goes on with the next items.
        name: of the thread.
    """

    def __init__(
        self,
        work: Callable[[dict[str, T]], None],
        on_error: Callable[[Exception], None],
        name: str = "worker",
    ) -> None:
        self._work = work
        self._on_error = on_error
        self._name = name
        self._newest: dict[str, T] = {}
        self._changed = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None

    def put(self, source: str, item: T) -> bool:
        """Store an item for the thread; return True if it replaces an unprocessed one."""
        with self._changed:
            dropped = source in self._newest
            self._newest[source] = item
            self._changed.notify()
        return dropped

    def start(self) -> None:
        """Start the thread; stored items are processed first."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> list[str]:
        """Finish the call in progress, end the thread, and return the sources of dropped items."""
        with self._changed:
            self._running = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        dropped = list(self._newest)
        self._newest.clear()
        return dropped

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or not self._running)
                if not self._running:
                    return
                batch, self._newest = self._newest, {}
            try:
                self._work(batch)
            except Exception as error:
                self._on_error(error)
