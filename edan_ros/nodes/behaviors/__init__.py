"""Nodes that act on emotions: vehicle, humanoid, announcer and the ROS4HRI bridge."""
