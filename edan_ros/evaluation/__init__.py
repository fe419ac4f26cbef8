"""Evaluation of models and detectors on data sets, without torch and without ROS."""
