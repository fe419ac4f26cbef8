"""Runs nodes as a process: from the environment to a clean exit.

Each node has an executor and a thread of its own. A slow service of one node then keeps no other
waiting, and rclpy's multi-threaded executor, which costs several times as much for each message,
is not needed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from edan_ros.nodes.common.environment import prepare
from edan_ros.nodes.common.reporting import guard_services, health_of, record_error

AnyNode = TypeVar("AnyNode", bound=Node)

#: Seconds that a shutdown hook may take.
_HOOK_TIMEOUT = 2.0


class GuardedExecutor(SingleThreadedExecutor):
    """An executor that goes on when a callback raises.

    This holds for every callback it runs: of subscriptions, timers, services, events, parameters
    and futures. The exception is recorded in the node's ``health``, or logged where it has none.
    A service whose callback raises is answered all the same, with ``success`` false and the
    error as its ``message`` where the response has these fields.
    """

    def add_node(self, node: Node) -> bool:
        """Add a node with all its services guarded; call it when they have been created."""
        guard_services(node)
        return bool(super().add_node(node))

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one callback; an exception is recorded, unless the context is down."""
        try:
            super().spin_once(timeout_sec)
        except ExternalShutdownException:
            raise
        except Exception as error:
            # A callback at work while the context goes down cannot publish any more.
            if self.context.ok():
                for node in self.get_nodes():
                    record_error(node, "a callback failed", error)


def run_node(
    make_node: Callable[[], AnyNode],
    args: list[str] | None = None,
    on_shutdown: Callable[[AnyNode], None] | None = None,
) -> None:
    """Run one node as `run_together` does, and exit with its code unless that is 0."""
    code = run_together([make_node], args, on_shutdown)
    if code:
        sys.exit(code)


def run_together(
    makers: Sequence[Callable[[], AnyNode]],
    args: Sequence[str] | None = (),
    on_shutdown: Callable[[AnyNode], None] | None = None,
) -> int:
    """Spin nodes until SIGINT, SIGTERM or the end of their context, then destroy them.

    Args:
        makers: make the nodes, once rclpy is initialised.
        args: for rclpy.init, with --ros-args; None for those of the process.
        on_shutdown: called with each node, by its executor, when a signal comes and before the
            context goes down, after which nothing can be published.

    Returns:
        The exit code. It is 1 if a parameter is not valid, with one sentence on standard error,
        or if a node or one of its threads has ended because of an error.
    """
    prepare()
    running: list[tuple[AnyNode, GuardedExecutor]] = []

    def run_shutdown_hooks() -> None:
        if on_shutdown is not None:
            for node, executor in running:
                _run_in_executor(executor, partial(on_shutdown, node))

    init(None if args is None else list(args), run_shutdown_hooks)
    try:
        for make in makers:
            running.append((make(), GuardedExecutor()))
        return _spin_all(running)
    except ParameterException as error:
        print(f"edan_ros: {error}", file=sys.stderr)
        return 1
    except Exception:
        # A node that was being made while the context went down could not be finished.
        if rclpy.ok():
            raise
        return 0
    finally:
        shut_down()
        for node, executor in running:
            executor.shutdown()
            node.destroy_node()


def _spin_all(running: Sequence[tuple[Node, GuardedExecutor]]) -> int:
    """Spin until the context is down; the exit code. The first node spins in this thread."""
    failed: list[BaseException] = []

    def spin(node: Node, executor: GuardedExecutor) -> None:
        try:
            executor.add_node(node)
            executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:
            if rclpy.ok():
                failed.append(error)
                record_error(node, "the node has ended", error)
        finally:
            rclpy.try_shutdown()

    threads = [
        threading.Thread(target=spin, args=pair, name=pair[0].get_name()) for pair in running[1:]
    ]
    for thread in threads:
        thread.start()
    try:
        spin(*running[0])
    finally:
        for thread in threads:
            thread.join()
    healths = [health_of(node) for node, _ in running]
    return 1 if failed or any(health.ended for health in healths if health) else 0


def init(args: list[str] | None, before_shutdown: Callable[[], None] = lambda: None) -> None:
    """Initialise rclpy with SIGINT and SIGTERM made safe; `shut_down` has to follow.

    Args:
        args: the command line, with --ros-args; None for that of the process.
        before_shutdown: called on a thread of its own when a signal comes, while the context is
            still up.
    """
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    _shut_down_on_signals(before_shutdown)


def end_spinning() -> None:
    """End `run_together` and `run_node` of this process, from any thread."""
    rclpy.try_shutdown()


def shut_down() -> None:
    """Shut the context down, unless it is, and let no later SIGINT disturb the clean-up."""
    rclpy.try_shutdown()
    # The interpreter restores SIGINT's default action when it exits, which would kill it then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_in_executor(executor: GuardedExecutor, work: Callable[[], None]) -> None:
    """Let an executor that spins run this between two callbacks, and wait for it a while."""
    done = threading.Event()

    def task() -> None:
        try:
            work()
        finally:
            done.set()

    executor.create_task(task)
    done.wait(_HOOK_TIMEOUT)


def _shut_down_on_signals(before_shutdown: Callable[[], None]) -> None:
    """Let SIGINT, SIGTERM and SIGHUP, however often they come, end the spinning and no more.

    KeyboardInterrupt could strike anywhere, in the middle of a transition or inside rclpy, and
    rclpy's own handler does not always survive a second signal. So the handler does nothing: a
    byte that Python writes when a signal comes wakes a thread, which shuts the context down.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(reader, 1)
        try:
            before_shutdown()
        finally:
            rclpy.try_shutdown()

    threading.Thread(target=wait, name="signals", daemon=True).start()
