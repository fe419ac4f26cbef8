"""Data types, geometry, image decoding and signal processing: NumPy and OpenCV only."""
