"""Copies of the source tree, and environments without ROS, for the tests of the builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]
TREE = (
    *("CMakeLists.txt", "LICENSE", "MANIFEST.in", "README.md", "package.xml", "pyproject.toml"),
    *("setup.py", "cmake", "config", "edan_ros", "launch", "msg", "scripts", "srv"),
)


def run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a failure shows all it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def copy_tree(destination: Path) -> Path:
    """Copy what the builds read, so that they neither find nor leave anything in the checkout."""
    destination.mkdir(parents=True)
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, destination / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy2(source, destination / name)
    return destination


class PlainEnvironment:
    """A virtual environment with the libraries of this one, but without ROS and edan_ros.

    Nothing is fetched: the libraries are links to those of the running Python. No program outside
    of the environment is on its PATH, so that neither a compiler nor CMake can be used.
    """

    def __init__(self, folder: Path) -> None:
        links, venv = folder / "libraries", folder / "venv"
        links.mkdir(parents=True)
        installed = Path(sysconfig.get_path("purelib"))
        hidden = _parts_of_ros(installed)
        for entry in installed.iterdir():
            if entry.name not in hidden and entry.suffix != ".pth":
                (links / entry.name).symlink_to(entry)
        run([sys.executable, "-m", "venv", "--without-pip", str(venv)], folder)
        self.bin = venv / "bin"
        self.python = str(self.bin / "python")
        self.environment = {"PATH": str(self.bin), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
        self.folder = folder
        self.site_packages = Path(self.call("-c", "import site; print(site.getsitepackages()[0])"))
        (self.site_packages / "libraries.pth").write_text(f"{links}\n")

    def call(self, *arguments: str, folder: Path | None = None) -> str:
        """Run Python with these arguments and return what it printed, without the line's end."""
        command = [self.python, *arguments]
        return run(command, folder or self.folder, self.environment).stdout.rstrip()

    def install(self, what: Path) -> str:
        """Run ``pip install`` for a folder or an archive; return the file name of the wheel."""
        options = ("--no-deps", "--no-index", "--no-build-isolation", "--no-compile")
        output = self.call("-m", "pip", "install", *options, str(what))
        named = [word for word in output.split() if word.startswith("filename=")]
        return named[0].removeprefix("filename=") if named else what.name

    def edan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command."""
        return subprocess.run(
            [str(self.bin / "edan"), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _parts_of_ros(site_packages: Path) -> set[str]:
    """Return the names in a folder of packages that belong to ROS or to edan_ros."""
    hidden = {"edan_ros", "__pycache__"}
    for distribution in metadata.distributions(path=[str(site_packages)]):
        name = str(distribution.metadata["Name"]).lower()
        if name.startswith("ros-") or name.replace("-", "_") == "edan_ros":
            hidden |= {PurePath(str(file)).parts[0] for file in distribution.files or []}
    return hidden


#: For CMake: a build type without flags compiles the messages unoptimised, in half the time.
UNOPTIMISED = {"CMAKE_BUILD_TYPE": "Unoptimised"}


def without_ros() -> dict[str, str]:
    """Return the environment variables of this process without those that lead to ROS."""
    names = {"LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "AMENT_PREFIX_PATH"}
    return {name: value for name, value in os.environ.items() if name not in names}
