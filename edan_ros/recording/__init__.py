"""What a run leaves behind: a video, a picture, lines of JSON, a summary. No ROS in here."""
