"""What reading a data set may raise for its user to read."""

from __future__ import annotations


class DataError(ValueError):
    """A data set is not laid out as its reader expects. The message says what belongs where."""
