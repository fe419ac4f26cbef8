"""Reports of a node: throttled warnings, errors of callbacks and threads, /diagnostics.

``diagnostic_updater`` is deliberately not used. Its timer runs on the node's clock, so that
diagnostics stop while simulated time stands still; it names statuses without the node's namespace
unless a parameter says otherwise, so that two nodes collide; and it has one hardware id for all
statuses of a node.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.service import Service
from std_msgs.msg import Header

from edan_ros.core.wording import plural
from edan_ros.nodes.common import qos

#: Seconds between two diagnostics.
PERIOD = 1.0
#: Seconds for which an error of a callback keeps the status at ERROR.
ERROR_HOLD = 60.0


class Throttle:
    """Admits one message of each key per period and counts the suppressed ones."""

    def __init__(self, period: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._clock = clock
        self._next: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()

    def admit(self, key: str, message: str) -> str:
        """Return the message, with the number suppressed since the last; "" to suppress it."""
        now = self._clock()
        if now < self._next.get(key, now):
            self._suppressed[key] += 1
            return ""
        self._next[key] = now + self._period
        suppressed = self._suppressed.pop(key, 0)
        count = plural(suppressed, "similar warning")
        return f"{message} ({count} suppressed)" if suppressed else message


class Health:
    """Publish a node's statuses on /diagnostics, with the errors of its callbacks and threads.

    The status `<node>: node` appears with the first error. It is ERROR for ``ERROR_HOLD`` seconds
    after a callback has failed, and for good once a thread of the node has ended.

    Args:
        node: the node, whose fully qualified name begins the name of each status.
        statuses: called once a second; returns the node's own statuses, made by `status`.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        node: Node,
        statuses: Callable[[], Sequence[DiagnosticStatus]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._statuses = statuses
        self._clock = clock
        self._lock = threading.Lock()
        self._throttle = Throttle(clock=clock)
        self._errors = 0
        self._last_error = ""
        self._last_time = -math.inf
        self._ended: dict[str, str] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", qos.RESULTS)
        # Steady time: diagnostics go on while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(PERIOD, self.publish, clock=steady)
        # Whatever executor the node is given to, a client gets its answer.
        guard_services(node)

    @property
    def errors(self) -> int:
        """Number of errors recorded so far."""
        return self._errors

    @property
    def last_error(self) -> str:
        """The newest error, without its traceback; "" if there was none."""
        return self._last_error

    @property
    def ended(self) -> bool:
        """Whether a thread of the node has ended because of an error."""
        return bool(self._ended)

    def warn(self, key: str, message: str) -> None:
        """Log a warning, throttled by its key."""
        with self._lock:
            warning = self._throttle.admit(key, message)
        if warning:
            self._node.get_logger().warning(warning)

    def record(self, where: str, error: BaseException) -> None:
        """Log an error with its traceback, throttled, and report it in the diagnostics.

        Args:
            where: what failed; the node goes on without it.
            error: what was raised.
        """
        text = f"{where}: {_describe(error)}"
        with self._lock:
            self._errors += 1
            self._last_error, self._last_time = text, self._clock()
            message = self._throttle.admit(where, _with_traceback(where, error))
        if message:
            self._node.get_logger().error(message)

    def record_end(self, thread: str, error: BaseException) -> None:
        """Log the end of a thread that is not started again; the diagnostics stay at ERROR."""
        with self._lock:
            self._errors += 1
            self._last_error = self._ended[thread] = f"{thread} has ended: {_describe(error)}"
        self._node.get_logger().error(_with_traceback(f"{thread} has ended", error))

    def status(
        self,
        name: str,
        level: bytes,
        message: str,
        values: Mapping[str, str],
        hardware_id: str = "",
    ) -> DiagnosticStatus:
        """Return a status whose name is the node's fully qualified name and ``name``."""
        return DiagnosticStatus(
            name=f"{self._node.get_fully_qualified_name()}: {name}",
            level=level,
            message=message,
            hardware_id=hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )

    def publish(self) -> None:
        """Publish the statuses of now."""
        try:
            statuses = list(self._statuses())
        except Exception as error:  # the error itself has to be reported all the same
            self.record("diagnostics", error)
            statuses = []
        statuses += self._own_status()
        if statuses:
            stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(DiagnosticArray(header=Header(stamp=stamp), status=statuses))

    def _own_status(self) -> list[DiagnosticStatus]:
        with self._lock:
            if not self._errors:
                return []
            age = self._clock() - self._last_time
            values = {"errors": str(self._errors), "last_error": self._last_error}
            if self._ended:
                level, message = DiagnosticStatus.ERROR, "; ".join(self._ended.values())
            elif age < ERROR_HOLD:
                level, message = DiagnosticStatus.ERROR, self._last_error
            else:
                level, message = DiagnosticStatus.OK, f"no error for {age:.0f} s"
        return [self.status("node", level, message, values)]


def health_of(node: Node) -> Health | None:
    """Return the node's attribute ``health``; None where it has none."""
    health = getattr(node, "health", None)
    return health if isinstance(health, Health) else None


def record_error(node: Node, where: str, error: BaseException) -> None:
    """Record an error in the node's health, or log it where the node has none."""
    health = health_of(node)
    if health is not None:
        health.record(where, error)
    else:
        node.get_logger().error(_with_traceback(where, error))


def guard_services(node: Node) -> None:
    """Let every service of the node answer even if its callback raises.

    The answer then has ``success`` false, and the error as its ``message`` where it has that field.
    """
    for service in node.services:
        _guard_service(node, service)


def _guard_service(node: Node, service: Service) -> None:
    callback = service.callback
    if getattr(callback, "guarded", False):
        return

    @wraps(callback)
    def guarded(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except Exception as error:
            return _answer_error(node, service, error)

    guarded.guarded = True  # type: ignore[attr-defined]
    service.callback = guarded


def _answer_error(node: Node, service: Service, error: Exception) -> Any:
    """Return the response of a service whose callback has raised."""
    if service.srv_type is ChangeState:
        # rclpy raises when the id of a requested transition is not possible in the current state.
        # The request is wrong, not the node; the state stays as it is.
        node.get_logger().warning(f"transition refused: {error}")
    else:
        record_error(node, f"the service {service.srv_name} failed", error)
    response = service.srv_type.Response()
    if hasattr(response, "success") and hasattr(response, "message"):
        response.message = f"internal error: {type(error).__name__}: {error}"
    return response


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _with_traceback(where: str, error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return f"{where}: {''.join(lines).rstrip()}"
