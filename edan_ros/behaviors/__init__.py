"""What a vehicle, a humanoid and an announcer do about the faces they see: decisions, no ROS.

Every behaviour is fed in two ways. `observe(snapshot, now)` takes the faces of one image, at whatever
rate they come; `step(now)` returns what holds now, at whatever rate the caller wants it. All times
are seconds of one clock, that of the images' stamps; `timing.StampClock` says what becomes of stamps
that repeat, come late or lie in the future, and of a clock that jumps.
"""
