"""The environment variables that ROS 2 needs, set in one place before rclpy starts.

`prepare` is called first by everything that starts a node: the nodes' `main` and `edan`. It lets
them run straight out of a virtual environment, where no setup file was sourced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

PACKAGE = "edan_ros"
# Humble and Jazzy read the first name, Kilted the second.
FASTDDS_PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def prepare() -> None:
    """Sets what ROS reads from the environment. To be called before `rclpy.init`."""
    ensure_prefix_path()
    ensure_fastdds_profile()


def ensure_prefix_path() -> None:
    """Puts this Python's prefix on AMENT_PREFIX_PATH if the package is installed there by pip."""
    marker = Path(sys.prefix) / "share" / "ament_index" / "resource_index" / "packages" / PACKAGE
    entries = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    if marker.is_file() and sys.prefix not in entries:
        os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join([*filter(None, entries), sys.prefix])


def ensure_fastdds_profile() -> None:
    """Gives Fast DDS the profile for large images, unless the user has set a profile of their own.

    Fast DDS reads it when the first participant is made; other middlewares ignore it.
    """
    if any(os.environ.get(name) for name in FASTDDS_PROFILE_VARIABLES):
        return
    profile = share_directory() / "config" / "fastdds_large_images.xml"
    for name in FASTDDS_PROFILE_VARIABLES:
        os.environ[name] = str(profile)


def share_directory() -> Path:
    """The installed folder share/edan_ros, which holds config/ and launch/.

    Raises:
        ament_index_python.packages.PackageNotFoundError: the package is not installed.
    """
    ensure_prefix_path()
    return Path(get_package_share_directory(PACKAGE))
