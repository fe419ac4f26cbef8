"""Faces, geometry, crops, detectors, tracks, smoothing and the pipeline: numpy and OpenCV only."""
