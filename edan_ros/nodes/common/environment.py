"""The environment variables that ROS 2 needs, set in one place before rclpy starts.

`prepare` is called first by everything that starts a node: the nodes' `main` and `edan`. It lets
them run straight out of a virtual environment, where no setup file was sourced. Launch files pass
`fastdds_variables` on to what they start.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

PACKAGE = "edan_ros"
# The variable that each major version of Fast DDS reads, by the folder it installs under share/:
# version 2 of Humble and Jazzy, version 3 of Kilted. The latter takes the old name with a warning.
FASTDDS_VARIABLES = {
    "fastrtps": "FASTRTPS_DEFAULT_PROFILES_FILE",
    "fastdds": "FASTDDS_DEFAULT_PROFILES_FILE",
}
# Room for the large segments of four processes (config/fastdds_large_images.xml).
LARGE_SHARED_MEMORY = 4 * 68 * 2**20


def prepare() -> None:
    """Sets what ROS reads from the environment. To be called before `rclpy.init`."""
    ensure_prefix_path()
    ensure_fastdds_profile()


def ensure_prefix_path() -> None:
    """Puts this Python's prefix on AMENT_PREFIX_PATH if the package is installed there by pip."""
    marker = Path(sys.prefix) / "share" / "ament_index" / "resource_index" / "packages" / PACKAGE
    if marker.is_file() and sys.prefix not in prefixes():
        os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join([*prefixes(), sys.prefix])


def ensure_fastdds_profile() -> None:
    """Gives Fast DDS the profile for large images, unless the user has set a profile of their own.

    Fast DDS reads it when the first participant is made; other middlewares ignore it.
    """
    os.environ.update(fastdds_variables())


def fastdds_variables() -> dict[str, str]:
    """The environment variables that select the profile; none if the user has set one already."""
    if any(os.environ.get(name) for name in FASTDDS_VARIABLES.values()):
        return {}
    shared_memory = Path("/dev/shm")
    large = (
        not shared_memory.is_dir() or shutil.disk_usage(shared_memory).free >= LARGE_SHARED_MEMORY
    )
    name = "fastdds_large_images.xml" if large else "fastdds_small_memory.xml"
    profile = str(share_directory() / "config" / name)
    found = [
        variable
        for folder, variable in FASTDDS_VARIABLES.items()
        if any((Path(prefix) / "share" / folder).is_dir() for prefix in prefixes())
    ]
    return dict.fromkeys(found or FASTDDS_VARIABLES.values(), profile)


def prefixes() -> list[str]:
    """The entries of AMENT_PREFIX_PATH."""
    return list(filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)))


def share_directory() -> Path:
    """The installed folder share/edan_ros, which holds config/ and launch/.

    Raises:
        ament_index_python.packages.PackageNotFoundError: the package is not installed.
    """
    ensure_prefix_path()
    return Path(get_package_share_directory(PACKAGE))
