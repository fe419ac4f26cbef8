"""Decisions of a vehicle, a humanoid and an announcer on the faces in view; no ROS.

Every behaviour has two inputs. `observe(snapshot, now)` takes the faces of one image, at whatever
rate images arrive; `step(now)` returns the current decision, at whatever rate the caller needs it.
All times are seconds on one clock, that of the images' stamps; `timing.StampClock` defines how
stamps that repeat, arrive late or lie in the future are handled, and clocks that jump.
"""
