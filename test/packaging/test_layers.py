"""The layers: which part may import which, and where torch, ROS and TensorRT may be imported.

Arrows run one way: cli and nodes -> explain, behaviors, training, evaluation, report -> engines,
networks, sources, recording, datasets -> core. docs/architecture.md says why.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from source_imports import ROOT, Import, imports_of

PACKAGE = ROOT / "edan_ros"
MIDDLE = {"explain", "behaviors", "training", "evaluation", "report", "benchmark"}
LOWER = {
    "engines",
    "networks",
    "detection",
    "tracking",
    "pipeline",
    "drawing",
    "sources",
    "recording",
    "datasets",
}
ALLOWED = {
    "core": set(),
    "engines": {"core", "detection"},
    "networks": {"core"},
    "detection": {"core", "engines"},
    "tracking": {"core"},
    "pipeline": {"core", "detection", "engines", "tracking"},
    "drawing": {"core"},
    "datasets": {"core", "detection"},
    "sources": {"core"},
    "recording": {"core", "drawing"},
    "behaviors": {"core"},
    "evaluation": LOWER | {"core"},
    "training": LOWER | {"core", "evaluation"},
    "explain": LOWER | {"core"},
    "benchmark": LOWER | {"core"},
    "report": {"core", "recording", "sources", "drawing"},
    "nodes": MIDDLE | LOWER | {"core", "msg", "srv"},
    "cli": MIDDLE | LOWER | {"core", "nodes"},
}
FOLDERS = sorted(
    path.name for path in PACKAGE.iterdir() if any(path.glob("*.py")) and path.is_dir()
)
ROS = {"rclpy", "ament_index_python", "launch", "launch_ros", "cv_bridge", "diagnostic_updater"}
TORCH = {"torch", "torchvision", "onnxscript"}
#: Files of engines/ that import it.
WITH_TORCH = {"torch", "torch_detector"}


def sources(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


def imports(folder: str) -> list[Import]:
    return [found for path in sources(folder) for found in imports_of(path)]


def is_ros(found: Import) -> bool:
    return found.top in ROS or found.top.endswith(("_msgs", "_srvs", "_interfaces"))


def is_for_launch_files(path: Path) -> bool:
    """Whether a module needs `ros2 launch`, of which there are no wheels."""
    return any(found.top in {"launch", "launch_ros"} for found in imports_of(path))


def test_every_folder_has_its_place() -> None:
    assert set(FOLDERS) <= set(ALLOWED), "a new folder is given its layer here and in the docs"


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows_run_one_way(folder: str) -> None:
    wrong = []
    for found in imports(folder):
        parts = found.module.split(".")
        if parts[0] == "edan_ros" and len(parts) > 1:
            part = parts[1]
            if (folder, part) == ("engines", "networks") and found.path.stem in WITH_TORCH:
                continue  # loaded only when they are asked for
            if part != folder and part not in ALLOWED[folder]:
                wrong.append(str(found))
    assert not wrong


def test_core_imports_numpy_opencv_and_scipy_only() -> None:
    allowed = sys.stdlib_module_names | {"numpy", "cv2", "scipy", "edan_ros"}
    assert [str(found) for found in imports("core") if found.top not in allowed] == []


@pytest.mark.parametrize("folder", [name for name in FOLDERS if name != "nodes"])
def test_ros_is_imported_in_nodes_alone(folder: str) -> None:
    assert [str(found) for found in imports(folder) if is_ros(found)] == []


@pytest.mark.parametrize(
    "folder", [name for name in FOLDERS if name not in {"networks", "training", "explain"}]
)
def test_torch_is_imported_by_networks_training_and_explain_alone(folder: str) -> None:
    wrong = [found for found in imports(folder) if found.top in TORCH]
    # Loaded only when they are asked for: the engines that run a model with torch, and the
    # benchmark, which holds its matrix products against those of the others.
    lazy = {"engines": WITH_TORCH, "benchmark": {"machine"}}.get(folder, set())
    assert [str(found) for found in wrong if found.path.stem not in lazy] == []


def test_every_file_of_the_tests_has_a_name_of_its_own() -> None:
    """They are imported as modules of one level: two of a name, and nothing is collected."""
    counts = Counter(path.name for path in (ROOT / "test").rglob("*.py"))
    assert [name for name, count in counts.items() if count > 1] == ["conftest.py"]


def test_tensorrt_is_imported_by_its_engine_alone() -> None:
    found = [item for folder in FOLDERS for item in imports(folder)]
    gpu = [item for item in found if item.top in {"tensorrt", "pycuda"}]
    assert [str(item) for item in gpu if "tensorrt" not in item.path.name] == []


def test_cli_loads_nodes_only_when_they_are_needed() -> None:
    early = [item for item in imports("cli") if item.module.startswith("edan_ros.nodes")]
    assert [str(item) for item in early if item.at_load] == []


def test_the_run_time_path_needs_no_torch() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("core", "engines", "nodes")
        for path in sources(folder)
        if path.stem not in {*WITH_TORCH, "tensorrt"} and not is_for_launch_files(path)
    ]
    pytest.importorskip("rclpy")
    code = f"import sys\nsys.modules['torch'] = None\nimport {', '.join(modules)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
