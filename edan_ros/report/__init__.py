"""Recorded results as one HTML page that opens anywhere. No ROS in here."""
