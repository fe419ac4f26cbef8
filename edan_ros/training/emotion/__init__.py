"""Training, calibration and export of the emotion recogniser."""
