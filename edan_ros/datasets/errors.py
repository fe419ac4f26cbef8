"""The error that reading a data set raises."""

from __future__ import annotations


class DataError(ValueError):
    """A data set is not laid out as its reader expects. The message states what is expected."""
