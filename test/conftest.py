"""What all tests share: a ROS domain of their own, so that tests never hear each other."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings
from skip_summary import pytest_ignore_collect as pytest_ignore_collect
from skip_summary import pytest_terminal_summary as pytest_terminal_summary

# Under nohup SIGHUP is ignored, in the background of a script SIGINT, and child processes inherit
# that: the tests expect the defaults.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Property tests have no deadline: a busy machine is not a fault of the code.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# Above 101 the ports of a domain reach into the range the kernel hands out (Linux).
DOMAINS = range(1, 102)
# Each worker of pytest-xdist has its share of them. In it, each test starts where the last one
# stopped: what a test left behind is not heard by the next.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_domains = DOMAINS[_worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
_domains_in_turn = itertools.cycle(_domains)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: short ones at the end keep all processes busy."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def ros_on_this_machine_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps discovery to this machine and logs out of the home folder, for child processes too."""
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))


@pytest.fixture(autouse=True)
def _signals_restored() -> Iterator[None]:
    """Restore the handlers of signals and the wake-up descriptor that a test has changed.

    A handler that ignores SIGINT is inherited by child processes: `ros2 launch` would never end.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    yield
    for number, handler in before.items():
        if handler is not None:  # not installed from Python
            signal.signal(number, handler)
    signal.set_wakeup_fd(descriptor)


def _has_participants(domain: int) -> bool:
    """Whether a process uses a port of the domain (DDSI-RTPS 9.6.1): one that a test run left."""
    table = Path("/proc/net/udp")
    if not table.is_file():
        return False
    first = 7400 + 250 * domain
    addresses = (line.split()[1] for line in table.read_text("ascii").splitlines()[1:])
    return any(first <= int(address.rpartition(":")[2], 16) < first + 250 for address in addresses)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID without participants, which no other test has, set in the environment.

    Held until the test ends by a socket's name, which belongs to the network as the domain does:
    no file is left, and runs of other users count. `rclpy.init()` and child processes take the
    domain from the environment. Child processes that the test has left behind, after a time-out
    for example, are killed.
    """
    here = psutil.Process()
    before = set(here.children(recursive=True))
    for domain in itertools.islice(_domains_in_turn, len(_domains)):
        with socket.socket(socket.AF_UNIX) as held:
            try:
                held.bind(f"\0edan_ros_test_domain_{domain}")
            except OSError:  # taken
                continue
            if _has_participants(domain):
                continue
            monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
            yield domain
            for child in set(here.children(recursive=True)) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            return
    pytest.fail("all ROS domains are taken by other test runs")
