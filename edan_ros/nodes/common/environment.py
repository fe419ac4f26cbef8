"""Environment variables that ROS 2 needs, set before rclpy is initialised.

Everything that starts a node calls `prepare` first: the nodes' `main` and `edan`. Nodes then also
run from a virtual environment without sourcing a setup file. Launch files pass `fastdds_variables`
to the nodes that they start.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

PACKAGE = "edan_ros"
#: Folder in share/ of each major version of Fast DDS -> the variable that it reads: version 2 of
#: Humble and Jazzy, version 3 of Kilted, which accepts the old name with a warning.
FASTDDS_VARIABLES = {
    "fastrtps": "FASTRTPS_DEFAULT_PROFILES_FILE",
    "fastdds": "FASTDDS_DEFAULT_PROFILES_FILE",
}
#: Bytes for the large segments of four processes (config/fastdds_large_images.xml).
LARGE_SHARED_MEMORY = 4 * 68 * 2**20


def prepare() -> None:
    """Set the environment variables of ROS; call it before `rclpy.init`.

    Fast DDS reads its profile with the first participant; other middlewares ignore it.
    """
    ensure_prefix_path()
    os.environ.update(fastdds_variables())


def ensure_prefix_path() -> None:
    """Add this Python's prefix to AMENT_PREFIX_PATH if pip has installed the package there."""
    marker = Path(sys.prefix) / "share" / "ament_index" / "resource_index" / "packages" / PACKAGE
    if marker.is_file() and sys.prefix not in prefixes():
        os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join([*prefixes(), sys.prefix])


def fastdds_variables() -> dict[str, str]:
    """Return what selects the Fast DDS profile for large images; none if the user has set one."""
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


def require_file(argument: str, path: str) -> None:
    """Check the file of a launch argument; launch_ros itself only warns where it is missing.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{argument}:={path}: there is no such file")


def prefixes() -> list[str]:
    """Return the entries of AMENT_PREFIX_PATH."""
    return list(filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)))


def share_directory() -> Path:
    """Return the installed folder share/edan_ros, which holds config/ and launch/.

    Raises:
        ament_index_python.packages.PackageNotFoundError: the package is not installed.
    """
    ensure_prefix_path()
    return Path(get_package_share_directory(PACKAGE))


def describe_ros() -> dict[str, str]:
    """Return what is installed of ROS, by name, for users.

    Raises:
        ImportError: ROS or the messages of the package are not installed.
    """
    from rclpy.utilities import get_rmw_implementation_identifier

    from edan_ros.msg import FaceEmotionArray

    profile = ", ".join(f"{name}={value}" for name, value in fastdds_variables().items())
    return {
        "ROS 2": f"rclpy and the messages ({FaceEmotionArray.__module__})",
        "middleware": get_rmw_implementation_identifier(),
        "large images": profile or "your own Fast DDS profile is used",
    }
