"""The ROS nodes: parameters, topics and lifecycle around the parts that know no ROS."""
