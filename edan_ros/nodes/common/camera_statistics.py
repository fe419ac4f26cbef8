"""Statistics of one camera: images, drops, faults, rates and latency. Independent of ROS."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

#: Seconds over which rates are computed.
RATE_WINDOW = 5.0
#: Seconds between stamp and clock above which the images are not those of a live camera.
MAX_AGE = 60.0
#: Images over which latency percentiles and mean stage times are computed.
LATENCY_WINDOW = 300
#: Reasons for an image without a result that are not a fault of the image.
ENGINE_FAILED, INTERNAL_ERROR = "engine_failed", "internal_error"
#: Seconds for which the end of an outage is reported.
RETURN_REPORT = 10.0


@dataclass(frozen=True)
class CameraFigures:
    """The statistics of a camera at one moment. Times in seconds, rates in 1/s; None where unknown.

    Attributes:
        received: number of images: all that were processed, dropped and lost, and at most two that
            are in progress.
        processed: number of images with a result.
        dropped: number of images that were replaced by newer ones.
        lost: number of images without a result because of a fault.
        bad: reason -> number of faults.
        outages: number of gaps longer than ``silence_timeout``.
        incompatible_qos: policy of a publisher that does not match; "" without one.
        rate_in, rate_out, rate_dropped: of images received, processed and dropped.
        lost_by: reason of the newest image without a result; "" if all recent ones have one.
        latency_ms: percentile -> milliseconds from the arrival of an image to the published array.
        age_ms: median of the milliseconds from the stamp of an image to the published array, on
            the node's clock.
        stages_ms: stage -> mean milliseconds per image, over the same images.
        faces: in the newest image.
        silent: whether no image has arrived yet, or none for ``silence_timeout``.
        since_image, since_face: time since the newest image, and since the newest face.
        returned_after: length of the last outage, while its end is recent.
    """

    received: int
    processed: int
    dropped: int
    lost: int
    bad: dict[str, int]
    outages: int
    incompatible_qos: str
    rate_in: float
    rate_out: float
    rate_dropped: float
    lost_by: str
    latency_ms: dict[int, float]
    age_ms: float | None
    stages_ms: dict[str, float]
    faces: int
    silent: bool
    since_image: float | None
    since_face: float | None
    returned_after: float | None


@dataclass
class CameraStatistics:
    """Counters of one camera, safe to use from the executor's and the worker's thread.

    Attributes:
        clock: seconds that never go back.
        silence_timeout: seconds without images that count as an outage.
    """

    clock: Callable[[], float] = time.monotonic
    silence_timeout: float = 2.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._bad: Counter[str] = Counter()
        self._processed = self._received = self._dropped = self._lost = 0
        self._outages = self._faces = 0
        self._incompatible_qos = ""
        self._stages: deque[dict[str, float]] = deque(maxlen=LATENCY_WINDOW)
        self._in: deque[float] = deque()
        self._out: deque[float] = deque()
        self._drops: deque[float] = deque()
        self._losses: deque[float] = deque()
        self._lost_by = ""
        self._latency: deque[float] = deque(maxlen=LATENCY_WINDOW)
        self._age: deque[float] = deque(maxlen=LATENCY_WINDOW)
        self._last_image: float | None = None
        self._last_face: float | None = None
        self._returned: tuple[float, float] | None = None

    def arrived(self) -> float | None:
        """Count an image; return the seconds since the last one if that was an outage."""
        with self._lock:
            now = self.clock()
            gap = 0.0 if self._last_image is None else now - self._last_image
            self._received += 1
            self._last_image = now
            self._incompatible_qos = ""
            self._in.append(now)
            if gap <= self.silence_timeout:
                return None
            self._outages += 1
            self._returned = (now, gap)
            return gap

    def dropped(self) -> None:
        """Count an image that a newer one replaced."""
        with self._lock:
            self._dropped += 1
            self._drops.append(self.clock())

    def bad(self, reason: str, *, lost: bool = False) -> None:
        """Count a faulty image, stamp or calibration.

        Args:
            reason: key of the fault.
            lost: whether it left an image without a result.
        """
        with self._lock:
            self._bad[reason] += 1
            if lost:
                self._lost += 1
                self._losses.append(self.clock())
                self._lost_by = reason

    def incompatible(self, policy: str) -> None:
        """Note, until the next image, that a publisher's quality of service does not match."""
        with self._lock:
            self._incompatible_qos = policy

    def processed(
        self, arrival: float, faces: int, stages_ms: dict[str, float], age: float
    ) -> None:
        """Count a published array.

        Args:
            arrival: ``clock`` when its image arrived.
            faces: number of faces.
            stages_ms: stage -> milliseconds.
            age: seconds since the image's stamp; ignored above ``MAX_AGE``, as with a recording.
        """
        with self._lock:
            now = self.clock()
            self._processed += 1
            self._out.append(now)
            self._latency.append(now - arrival)
            self._stages.append(dict(stages_ms))
            self._faces = faces
            if abs(age) < MAX_AGE:
                self._age.append(age)
            if faces:
                self._last_face = now

    def reset_outage_timer(self) -> None:
        """Restart the time without images, after a time in which none could be received."""
        with self._lock:
            if self._last_image is not None:
                self._last_image = self.clock()

    def pause(self) -> None:
        """Restart rates and times, after the camera has been unsubscribed from."""
        with self._lock:
            self._last_image = self._last_face = self._returned = None
            self._faces = 0
            for times in (self._in, self._out, self._drops, self._losses):
                times.clear()

    def figures(self) -> CameraFigures:
        """Return the statistics now."""
        with self._lock:
            now = self.clock()
            since_image = None if self._last_image is None else now - self._last_image
            returned = self._returned
            return CameraFigures(
                received=self._received,
                processed=self._processed,
                dropped=self._dropped,
                lost=self._lost,
                bad=dict(self._bad),
                outages=self._outages,
                incompatible_qos=self._incompatible_qos,
                rate_in=_rate(self._in, now),
                rate_out=_rate(self._out, now),
                rate_dropped=_rate(self._drops, now),
                lost_by=self._lost_by if _rate(self._losses, now) else "",
                latency_ms=_percentiles_ms(self._latency),
                age_ms=_percentiles_ms(self._age).get(50),
                stages_ms=_means(self._stages),
                faces=self._faces,
                silent=since_image is None or since_image > self.silence_timeout,
                since_image=since_image,
                since_face=None if self._last_face is None else now - self._last_face,
                returned_after=returned[1]
                if returned and now - returned[0] < RETURN_REPORT
                else None,
            )


def _rate(times: deque[float], now: float) -> float:
    """Return the events per second in the last RATE_WINDOW seconds, and drop older times."""
    while times and now - times[0] > RATE_WINDOW:
        times.popleft()
    if len(times) < 2:
        return len(times) / RATE_WINDOW
    # n events span n - 1 intervals; the time since the last one counts too, so that a stop shows.
    return (len(times) - 1) / max(now - times[0], 1e-3)


def _means(stages: deque[dict[str, float]]) -> dict[str, float]:
    names = stages[-1] if stages else ()
    return {name: sum(each.get(name, 0.0) for each in stages) / len(stages) for name in names}


def _percentiles_ms(seconds: deque[float]) -> dict[int, float]:
    if not seconds:
        return {}
    wanted = (50, 95, 99)
    return dict(zip(wanted, 1e3 * np.percentile(list(seconds), wanted), strict=True))
