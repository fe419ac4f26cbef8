"""What training may raise for its user to read. Importing this needs no torch."""

from __future__ import annotations


class ConfigError(ValueError):
    """A training configuration has a missing, unknown or impossible entry."""
