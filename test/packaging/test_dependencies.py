"""package.xml and pyproject.toml list exactly what the sources import."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from source_imports import ROOT, imports_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Imported name -> rosdep key, where they differ.
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "numpy": "python3-numpy",
    "cv2": "python3-opencv",
    "yaml": "python3-yaml",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
}
# Imported name -> distribution that pip installs.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "av": "av",
    "backports": "backports.zstd",
    "cv2": "opencv-python-headless",
    "distributed": "distributed",
    "filelock": "filelock",
    "fontpkg": "fontpkg-inter",
    "foxglove": "foxglove-sdk",
    "lz4": "lz4",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "pandas": "pandas",
    "platformdirs": "platformdirs",
    "psutil": "psutil",
    "pyarrow": "pyarrow",
    "rich": "rich",
    "rosbags": "rosbags",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "torch": "torch",
    "torchvision": "torchvision",
    "tqdm": "tqdm",
    "yaml": "pyyaml",
}
# Not in package.xml: libraries without a rosdep key other than a pip key, which bars a release, and
# those that only the demo's built-in source, training and tables in Python need.
PIP_ONLY = set(DISTRIBUTIONS) - set(ROSDEP_KEYS)
# Used where they are installed. "compression" is Python 3.14's zstd, which older versions take
# from backports.
OPTIONAL = {
    "compression", "tensorrt", "pycuda", "cv_bridge", "diagnostic_updater", "openvino",
}  # fmt: skip


def imported_names() -> set[str]:
    """Return the top-level names that package, launch files and executables import."""
    paths: list[Path] = [*ROOT.glob("edan_ros/**/*.py"), *ROOT.glob("launch/*.py")]
    paths += ROOT.glob("scripts/executables/*")
    names = {found.top for path in paths for found in imports_of(path)}
    return names - sys.stdlib_module_names - {"edan_ros"} - OPTIONAL


def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def interface_packages() -> set[str]:
    """Return the packages whose messages the .msg and .srv files use."""
    paths = [*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]
    return {
        match[1]
        for path in paths
        for match in re.finditer(r"^(\w+)/\w+", path.read_text(), re.MULTILINE)
    }


def test_package_xml_lists_exactly_the_imports() -> None:
    root = manifest()
    named = {str(node.text) for tag in ("depend", "exec_depend") for node in root.iter(tag)}
    imported = {ROSDEP_KEYS.get(name, name) for name in imported_names() - PIP_ONLY}
    assert named == imported | interface_packages() | {"rosidl_default_runtime"}


def test_package_xml_builds_with_the_interface_packages() -> None:
    assert {node.text for node in manifest().iter("depend")} == interface_packages()


def test_pyproject_lists_every_import() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    listed = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        listed += extra
    named = {re.split(r"[\[<>=~!; ]", requirement)[0] for requirement in listed}
    wanted = {DISTRIBUTIONS[name] for name in imported_names() if name in DISTRIBUTIONS}
    assert wanted <= named
    run_time = {re.split(r"[\[<>=~!; ]", item)[0] for item in project["dependencies"]}
    assert run_time.isdisjoint({"torch", "onnx", "matplotlib"}), "these stay extras"


def test_the_licence_is_the_one_that_ships() -> None:
    assert manifest().findtext("license") == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
