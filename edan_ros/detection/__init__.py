"""Face detectors and the interface they share."""
