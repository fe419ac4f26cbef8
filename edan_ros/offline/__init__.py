"""Processing of whole recordings without ROS."""
