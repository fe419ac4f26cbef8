"""Build the wheel: with the ROS 2 interfaces where ROS 2 is found, pure Python elsewhere.

With ROS 2, CMakeLists.txt alone decides what is installed and where; `colcon build` follows it
directly. Here its install tree (lib/, share/, include/, and the Python package under
lib/pythonX.Y/site-packages) becomes the data files of the wheel, which pip lays over the virtual
environment, where the wheels of ROS 2 have put theirs. An editable install takes the Python
sources from the source tree and packs the generated modules only.

Without ROS 2 the wheel holds the Python sources and the message definitions, needs neither CMake
nor a compiler, and has no nodes. EDAN_ROS_INTERFACES=on fails where ROS 2 is missing, =off builds
the pure wheel in spite of it; the default is auto.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from setuptools import Distribution, find_namespace_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
GENERATORS = Path("share", "rosidl_default_generators")
ROS_MISSING = (
    "ROS 2 with rosidl_default_generators was not found. Install its wheels first, for example\n"
    "    pip install -r scripts/requirements/ros-jazzy.txt\n"
    "or source a ROS 2 installation and pass --no-build-isolation to pip. To install without ROS "
    "nodes, set EDAN_ROS_INTERFACES=off."
)


class CMakeDistribution(Distribution):
    """A distribution whose files come from CMake."""

    def has_ext_modules(self) -> bool:
        """Return True: the wheel holds compiled code, though setuptools compiles none."""
        return True

    def has_data(self) -> bool:
        """Return whether there are data files; setuptools asks before it packs an editable one."""
        return bool(self.data_files)


class BuildWithCMake(build_ext):
    """Run CMake (configure, build, install) and hand the installed files to `install_data`."""

    def run(self) -> None:
        """Build in build/cmake/, one folder per Python environment, so that rebuilds are quick."""
        build = ROOT / "build" / "cmake" / environment_key()
        stage = build / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        environment = build_environment()
        cmake = shutil.which("cmake", path=environment["PATH"])
        if cmake is None:
            raise SetupError("cmake was not found: pip install cmake, or apt install cmake.")
        configure = [cmake, "-S", str(ROOT), "-B", str(build)]
        if shutil.which("ninja", path=environment["PATH"]) is not None:
            configure += ["-G", "Ninja"]
        sources = "OFF" if self.editable_mode else "ON"
        configure += [
            f"-DCMAKE_INSTALL_PREFIX={stage}",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DEDAN_ROS_PYTHON_SOURCES={sources}",
            "-DBUILD_TESTING=OFF",
            "-Wno-dev",
        ]
        build_and_install = [[cmake, "--build", str(build)], [cmake, "--install", str(build)]]
        for command in (configure, *build_and_install):
            subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
        self.distribution.data_files.extend(
            installed_files(stage, omit="edan_ros/__init__.py" if self.editable_mode else None)
        )


class BuildFromScratch(build_py):
    """Copy the sources into an empty folder, so that modules removed since are not packed."""

    def run(self) -> None:
        """Empty build/lib, then copy."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


def find_ros() -> bool:
    """Return whether ROS 2's interface generators are in this Python's prefix or sourced.

    Raises SetupError for a sourced ROS 2 without them: a wheel without nodes would surprise.
    """
    sourced = [path for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    if any((Path(prefix) / GENERATORS).is_dir() for prefix in (sys.prefix, *sourced)):
        return True
    if sourced:
        raise SetupError(f"AMENT_PREFIX_PATH is {os.pathsep.join(sourced)}, but {ROS_MISSING}")
    return False


def wants_interfaces() -> bool:
    """Return whether to build the ROS 2 interfaces, by EDAN_ROS_INTERFACES: auto, on or off."""
    choice = os.environ.get("EDAN_ROS_INTERFACES", "auto")
    if choice not in ("auto", "on", "off"):
        raise SetupError(f"EDAN_ROS_INTERFACES is {choice!r}: set it to auto, on or off.")
    if choice == "off":
        return False
    found = find_ros()
    if choice == "on" and not found:
        raise SetupError(ROS_MISSING)
    return found


def environment_key() -> str:
    """Return a name for the Python environment: its version tag and a hash of its prefix."""
    prefix = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
    return f"{sys.implementation.cache_tag}-{prefix}"


def build_environment() -> dict[str, str]:
    """Return the environment for CMake, with ROS from this Python's prefix or as sourced.

    pip's build isolation hides the packages of the environment from Python by PYTHONPATH; CMake
    runs the generators of rosidl with the same Python and needs them, so that entry is taken out.
    """
    environment = dict(os.environ)
    entries = environment.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if entry and "pip-build-env-" not in entry]
    if kept:
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    scripts = sysconfig.get_path("scripts")
    environment["PATH"] = os.pathsep.join([scripts, environment.get("PATH", os.defpath)])
    if (Path(sys.prefix) / GENERATORS).is_dir():
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            rest = environment.get(name)
            environment[name] = os.pathsep.join([sys.prefix, rest] if rest else [sys.prefix])
    return environment


def installed_files(stage: Path, omit: str | None) -> list[tuple[str, list[str]]]:
    """Return every installed file as setuptools' data files: (folder in the prefix, files).

    Byte code, which pip makes itself, and the metadata that rosidl writes for the Python package,
    of which the wheel has its own, are left out. So is the file whose path ends with ``omit``: in
    an editable install, the __init__.py that would hide the one of the source tree.
    """
    folders: dict[str, list[str]] = {}
    for path in sorted(stage.rglob("*")):
        relative = path.relative_to(stage)
        unwanted = "__pycache__" in relative.parts or ".egg-info" in str(relative)
        unwanted = unwanted or (omit is not None and relative.as_posix().endswith(omit))
        if path.is_file() and not unwanted:
            folders.setdefault(str(relative.parent), []).append(os.path.relpath(path, ROOT))
    return list(folders.items())


def package_version() -> str:
    """Return the version, which package.xml alone defines."""
    version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    if version is None:
        raise SetupError("package.xml has no <version>.")
    return version


def with_interfaces() -> dict[str, Any]:
    """Return the settings of a wheel that CMake fills."""
    return {
        "distclass": CMakeDistribution,
        "cmdclass": {"build_ext": BuildWithCMake},
        "package_dir": {"": "."},
        "packages": [],
        "data_files": [],
    }


def pure_python() -> dict[str, Any]:
    """Return the settings of a wheel for every platform, without nodes.

    Bags carry the definitions of the messages in them, so the wheel has msg/ as a folder of
    the package; config/ goes where an installation with ROS has it.
    """
    packages = find_namespace_packages(
        str(ROOT), include=["edan_ros", "edan_ros.*"], exclude=["*.__pycache__"]
    )
    config = sorted(path for path in (ROOT / "config").rglob("*") if path.is_file())
    folders: dict[str, list[str]] = {}
    for path in config:
        relative = path.relative_to(ROOT)
        folders.setdefault(f"share/edan_ros/{relative.parent}", []).append(str(relative))
    return {
        "cmdclass": {"build_py": BuildFromScratch},
        "packages": [*packages, "edan_ros.interfaces.msg"],
        "package_dir": {"edan_ros.interfaces.msg": "msg"},
        "package_data": {"": ["*"]},
        "exclude_package_data": {"": ["*.pyc"]},
        "data_files": list(folders.items()),
    }


setup(version=package_version(), **(with_interfaces() if wants_interfaces() else pure_python()))
