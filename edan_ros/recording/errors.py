"""What goes wrong when a run's results are written."""

from __future__ import annotations


class RecordingError(RuntimeError):
    """Something cannot be written. The message is one sentence: what, and what to do."""
