"""`colcon build` and, with ROS in the environment, `pip install .`, each on a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trees import UNOPTIMISED, copy_tree, run, without_ros

# What users of either build rely on: messages and sources under one name, and the share folder.
CHECK = """
import sys
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from pathlib import Path
from edan_ros.msg import FaceEmotionArray
from edan_ros.srv import AnalyzeImage
import edan_ros.core.emotions
share = Path(get_package_share_directory("edan_ros"))
assert (share / "package.xml").is_file()
assert (share / "config" / "fastdds_large_images.xml").is_file()
executables = Path(get_package_prefix("edan_ros")) / "lib" / "edan_ros"
assert {path.name for path in executables.iterdir()} >= {"emotion_node", "camera_node", "edan"}
import rclpy
rclpy.init()
node = rclpy.create_node("check")
node.create_publisher(FaceEmotionArray, "faces", 1).publish(FaceEmotionArray())
rclpy.shutdown()
print(edan_ros.core.emotions.__file__)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("ros_domain"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colcon workspace with the package in src/."""
    folder = tmp_path_factory.mktemp("workspace")
    copy_tree(folder / "src" / "edan_ros")
    return folder


def colcon_build(workspace: Path, install: str, *options: str) -> str:
    """Build into ``install``; return where `edan_ros.core.emotions` is imported from afterwards."""
    pytest.importorskip("colcon_cmake", reason="colcon is in the extra 'test'")
    prefixes = os.pathsep.join(filter(None, [sys.prefix, os.environ.get("AMENT_PREFIX_PATH")]))
    environment = {
        **os.environ,
        **UNOPTIMISED,
        "MAKEFLAGS": "-j2",  # colcon's default waits while other tests keep the machine busy
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "AMENT_PREFIX_PATH": prefixes,
        "CMAKE_PREFIX_PATH": prefixes,
    }
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    command = [sys.executable, "-m", "colcon", "build", "--install-base", install, *options]
    run([*command, "--cmake-args", python, "-DBUILD_TESTING=OFF"], workspace, environment)
    check = workspace / "check.py"
    check.write_text(CHECK)
    source = f'. "{install}/setup.sh" && exec "{sys.executable}" "{check}"'
    return run(["/bin/sh", "-c", source], workspace, environment).stdout.strip()


def test_colcon_build(workspace: Path) -> None:
    imported = colcon_build(workspace, "install")
    assert imported.startswith(str(workspace / "install"))
    assert not Path(imported).is_symlink()


def test_colcon_build_with_symlinks(workspace: Path) -> None:
    # ament cannot replace the folders of a plain build with links.
    shutil.rmtree(workspace / "build" / "edan_ros" / "ament_cmake_python", ignore_errors=True)
    imported = colcon_build(workspace, "install_symlinks", "--symlink-install")
    assert imported.startswith(str(workspace / "install_symlinks"))
    sources = workspace / "src" / "edan_ros" / "edan_ros"
    assert Path(imported).resolve() == sources / "core" / "emotions.py"


def test_pip_install(tmp_path: Path) -> None:
    """Install into a new environment; use it from the root of the copy and from elsewhere."""
    tree = copy_tree(tmp_path / "edan_ros")
    environment = without_ros() | UNOPTIMISED  # not to be found in place of the new environment's
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")], tmp_path, environment)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    distribution = "kilted" if Path(sys.prefix).name.endswith("kilted") else "jazzy"
    requirements = tree / "scripts" / "requirements" / f"ros-{distribution}.txt"
    ros = subprocess.run(
        [*pip, "-r", str(requirements)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ros.returncode != 0:
        pytest.skip(f"the ROS 2 wheels could not be fetched: {ros.stderr.strip()[-200:]}")
    run([*pip, "."], tree, environment)
    script = tmp_path / "check.py"
    script.write_text(CHECK)
    environment["AMENT_PREFIX_PATH"] = str(tmp_path / "venv")
    elsewhere = run([str(python), str(script)], tmp_path, environment).stdout.strip()
    assert elsewhere.startswith(str(tmp_path / "venv"))
    from_root = run([str(python), "-c", CHECK], tree, environment).stdout.strip()
    assert from_root.startswith(str(tree))
    run([str(python), "-m", "pip", "uninstall", "--yes", "edan_ros"], tmp_path, environment)
    left = [path for path in (tmp_path / "venv").rglob("*edan_ros*") if path.suffix != ".pyc"]
    assert [path for path in left if path.is_file()] == []
