"""The camera node and bag playback."""
