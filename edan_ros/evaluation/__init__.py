"""Figures of merit, computed without torch and without ROS."""
