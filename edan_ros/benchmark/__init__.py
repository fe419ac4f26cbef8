"""Measurements of `edan benchmark`: the machine, models and the pipeline, and their report."""
