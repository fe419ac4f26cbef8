"""Explain predictions: maps over a face's crop, and the parts of the face that they highlight."""
