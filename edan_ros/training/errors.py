"""What training may raise for its user to read. Importing this needs no torch."""

from __future__ import annotations


class ConfigError(ValueError):
    """A training configuration has a missing, unknown or impossible entry."""


class DataError(ValueError):
    """A data folder is not laid out as its reader expects."""
