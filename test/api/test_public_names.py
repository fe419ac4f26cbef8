"""The public interface: its list of names, and the cost and output of importing the package."""

from __future__ import annotations

import inspect
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import edan_ros

ROOT = Path(__file__).parents[2]
NAMES = [
    "EMOTIONS",
    "Box",
    "CameraModel",
    "Drawing",
    "Face",
    "FaceAnalyzer",
    "HeadPose",
    "Manifest",
    "TrackedFrame",
    "__version__",
    "draw_faces",
    "list_models",
    "to_frame",
]


def run_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, in the root of the repository."""
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_exported_names() -> None:
    assert sorted(edan_ros.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(edan_ros))


@pytest.mark.parametrize("name", NAMES)
def test_exported_name_can_be_imported(name: str) -> None:
    assert getattr(edan_ros, name) is not None


@pytest.mark.parametrize("name", ["FaceAnalyzer", "draw_faces", "list_models", "to_frame"])
def test_docstrings_have_an_example(name: str) -> None:
    assert "Examples:\n" in inspect.getdoc(getattr(edan_ros, name))


@pytest.mark.parametrize("name", ["analyze", "track"])
def test_docstrings_of_methods_have_an_example(name: str) -> None:
    assert "Examples:\n" in inspect.getdoc(getattr(edan_ros.FaceAnalyzer, name))


def test_unknown_attribute_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'edan_ros' has no attribute 'FaceAnalyser'"):
        edan_ros.FaceAnalyser  # noqa: B018


def test_version_is_the_one_of_package_xml() -> None:
    declared = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    assert edan_ros.__version__ == declared
    # Without metadata, as in a source tree that is not installed.
    done = run_python("import edan_ros; print(edan_ros.__version__)", "-S")
    assert done.stdout.strip() == declared, done.stderr


def test_the_package_is_typed() -> None:
    assert (ROOT / "edan_ros" / "py.typed").is_file()


def test_import_loads_no_heavy_library() -> None:
    code = (
        "import sys; import edan_ros; edan_ros.__all__; "
        "print({'cv2', 'numpy', 'onnxruntime', 'scipy', 'torch', 'rclpy'} & set(sys.modules))"
    )
    done = run_python(code)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    "statement",
    ["import edan_ros.msg", "from edan_ros.srv import AnalyzeImage", "from edan_ros import msg"],
)
def test_missing_interfaces_say_what_to_install(statement: str) -> None:
    done = run_python(statement, "-S")  # without site-packages, where the generated modules are
    name = "edan_ros.srv" if "srv" in statement else "edan_ros.msg"
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {name} needs ROS 2: install it (docs.ros.org), then install "
        "edan_ros again in that environment, which builds its messages"
    )


def test_other_missing_modules_are_reported_as_usual() -> None:
    done = run_python("import edan_ros.message", "-S")
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'edan_ros.message'"
