"""Reports: recorded results as one self-contained HTML page. Without ROS."""
