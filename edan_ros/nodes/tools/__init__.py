"""Nodes and processes behind `edan demo`, `edan view` and `edan benchmark`."""
