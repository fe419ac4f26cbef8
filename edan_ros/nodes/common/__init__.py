"""Parameters, QoS, message conversion and process handling shared by all nodes."""
