"""What all tests share: a ROS domain of their own, so that tests never hear each other."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Above 101 the ports of a domain reach into the range the kernel hands out (Linux).
DOMAINS = range(1, 102)
# Each test starts where the last one stopped: what a test left behind is not heard by the next.
_domains_in_turn = itertools.cycle(DOMAINS)


@pytest.fixture(scope="session", autouse=True)
def ros_on_this_machine_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps discovery to this machine and logs out of the home folder, for child processes too."""
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID that no other test of this or another test run has, set in the environment.

    Held by a lock on a file until the test ends. `rclpy.init()` and child processes take it from
    the environment.
    """
    folder = Path(tempfile.gettempdir()) / "edan_ros_test_domains"
    folder.mkdir(exist_ok=True)
    for domain in itertools.islice(_domains_in_turn, len(DOMAINS)):
        with (folder / str(domain)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
            yield domain
            return
    pytest.fail("all ROS domains are taken by other test runs")
