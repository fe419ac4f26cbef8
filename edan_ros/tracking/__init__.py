"""Multi-face tracking by landmarks."""
