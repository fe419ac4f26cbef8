"""Builds the ROS interfaces with CMake and rosidl and packs what CMake installs into the wheel.

CMakeLists.txt alone says what is installed and where; `colcon build` follows it directly. Here its
install tree (lib/, share/, include/, and the Python package under lib/pythonX.Y/site-packages)
becomes the data files of the wheel, which pip lays over the virtual environment, where the wheels
of ROS 2 have put theirs. For an editable install the Python sources stay in the source tree, and
only the generated modules are packed; `edan_ros/__init__.py` joins the two.
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

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
ROS_MISSING = (
    "ROS 2 was not found in this Python environment. Install its wheels first, for example\n"
    "    pip install -r scripts/requirements/ros-jazzy.txt\n"
    "or source a ROS 2 installation and pass --no-build-isolation to pip. See README.md."
)


class CMakeDistribution(Distribution):
    """A distribution whose files come from CMake."""

    def has_ext_modules(self) -> bool:
        """True: the wheel holds compiled code, though setuptools compiles none."""
        return True

    def has_data(self) -> bool:
        """True if there are data files; setuptools asks before it packs an editable install."""
        return bool(self.data_files)


class BuildWithCMake(build_ext):
    """Runs CMake (configure, build, install) and hands the installed files to `install_data`."""

    def run(self) -> None:
        """Builds into build/cmake/, one folder a Python environment: a second build is quick."""
        build = ROOT / "build" / "cmake" / environment_key()
        stage = build / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        environment = build_environment()
        cmake = shutil.which("cmake", path=environment["PATH"])
        if cmake is None:
            raise SetupError("cmake was not found: pip install cmake, or apt install cmake.")
        run = [cmake, "-S", str(ROOT), "-B", str(build)]
        if shutil.which("ninja", path=environment["PATH"]) is not None:
            run += ["-G", "Ninja"]
        sources = "OFF" if self.editable_mode else "ON"
        run += [
            f"-DCMAKE_INSTALL_PREFIX={stage}",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DEDAN_ROS_PYTHON_SOURCES={sources}",
            "-DBUILD_TESTING=OFF",
            "-Wno-dev",
        ]
        for command in (run, [cmake, "--build", str(build)], [cmake, "--install", str(build)]):
            subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
        self.distribution.data_files.extend(installed_files(stage))


def environment_key() -> str:
    """Names the Python environment: its version tag and a hash of its prefix."""
    prefix = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
    return f"{sys.implementation.cache_tag}-{prefix}"


def build_environment() -> dict[str, str]:
    """The environment for CMake: ROS found in this Python's prefix or, if sourced, where it is.

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
    if (Path(sys.prefix) / "share" / "rosidl_default_generators").is_dir():
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            rest = environment.get(name)
            environment[name] = os.pathsep.join([sys.prefix, rest] if rest else [sys.prefix])
    elif not environment.get("AMENT_PREFIX_PATH"):
        raise SetupError(ROS_MISSING)
    return environment


def installed_files(stage: Path) -> list[tuple[str, list[str]]]:
    """Every installed file as setuptools' data files: (folder in the prefix, files).

    Left out are byte code, which pip makes itself, and the metadata that rosidl writes for the
    Python package, of which the wheel has its own.
    """
    folders: dict[str, list[str]] = {}
    for path in sorted(stage.rglob("*")):
        relative = path.relative_to(stage)
        unwanted = "__pycache__" in relative.parts or ".egg-info" in str(relative)
        if path.is_file() and not unwanted:
            folders.setdefault(str(relative.parent), []).append(os.path.relpath(path, ROOT))
    return list(folders.items())


def package_version() -> str:
    """The version, from package.xml, which is its one place."""
    version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    if version is None:
        raise SetupError("package.xml has no <version>.")
    return version


setup(
    version=package_version(),
    distclass=CMakeDistribution,
    cmdclass={"build_ext": BuildWithCMake},
    package_dir={"": "."},
    packages=[],
    data_files=[],
)
