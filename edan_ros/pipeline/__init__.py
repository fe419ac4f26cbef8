"""The per-image pipeline: detection, tracking, recognition and smoothing for each camera."""
