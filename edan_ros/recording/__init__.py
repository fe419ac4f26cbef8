"""Output of runs: videos, images, lines of JSON, tables, bags and summaries. Without ROS."""
