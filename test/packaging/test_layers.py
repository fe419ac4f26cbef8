"""The layers: which folder may import which, and where torch, ROS and TensorRT may be imported.

docs/explanation/architecture.md gives the reasons.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from source_imports import ROOT, Import, imports_of

PACKAGE = ROOT / "edan_ros"
#: Folder or module -> the others that it may import, from the bottom up: only ones above it here.
ALLOWED = {
    "core": set(),
    "drawing": {"core"},
    "behaviors": {"core", "drawing"},
    "sources": {"core"},
    "networks": {"core"},
    "engines": {"core"},
    "tracking": {"core"},
    "detection": {"core", "engines"},
    "pipeline": {"core", "detection", "tracking"},
    "datasets": {"core", "detection"},
    "recording": {"core", "drawing"},
    "report": {"core", "drawing", "recording", "sources"},
    "offline": {
        *("core", "detection", "drawing", "engines", "pipeline", "recording", "sources"),
        "tracking",
    },
    "fleet": {"core", "drawing", "engines", "offline", "pipeline", "recording", "sources"},
    "analyzer": {
        *("core", "detection", "drawing", "engines", "offline", "pipeline", "sources"),
    },
    "benchmark": {"core", "datasets", "detection", "drawing", "engines", "pipeline", "sources"},
    "explain": {"core", "datasets", "drawing", "engines"},
    "evaluation": {
        "behaviors",
        *("core", "datasets", "detection", "drawing", "engines", "pipeline", "sources", "tracking"),
    },
    "training": {
        *("core", "datasets", "detection", "drawing", "engines", "evaluation", "networks"),
        "sources",
    },
    "nodes": {
        *("core", "behaviors", "benchmark", "detection", "drawing", "engines", "explain"),
        *("pipeline", "recording", "report", "sources", "msg", "srv"),
    },
}
ALLOWED["cli"] = {*ALLOWED, "msg", "srv"}
FOLDERS = sorted(
    path.name for path in PACKAGE.iterdir() if any(path.glob("*.py")) and path.is_dir()
)
#: Modules that import torch and the networks, and are themselves imported only when selected.
WITH_TORCH = {"engines/torch.py", "detection/torch_runner.py"}
ROS = {"rclpy", "ament_index_python", "launch", "launch_ros", "cv_bridge", "diagnostic_updater"}
TORCH = {"torch", "torchvision", "onnxscript"}


def sources(folder: str) -> list[Path]:
    """Return the Python files of a folder of the package, or of the module with this name."""
    return sorted((PACKAGE / folder).rglob("*.py")) or [PACKAGE / f"{folder}.py"]


def imports(folder: str) -> list[Import]:
    return [found for path in sources(folder) for found in imports_of(path)]


def is_ros(found: Import) -> bool:
    return found.top in ROS or found.top.endswith(("_msgs", "_srvs", "_interfaces"))


def is_for_launch_files(path: Path) -> bool:
    """Return whether a module needs `ros2 launch`, which has no wheels."""
    return any(found.top in {"launch", "launch_ros"} for found in imports_of(path))


def is_with_torch(path: Path) -> bool:
    return path.relative_to(PACKAGE).as_posix() in WITH_TORCH


def test_every_folder_has_its_layer() -> None:
    assert set(FOLDERS) <= set(ALLOWED), "give a new folder its layer here and in the docs"


def test_layers_import_only_lower_layers() -> None:
    order = ["msg", "srv", *ALLOWED]
    for number, (name, allowed) in enumerate(ALLOWED.items()):
        assert allowed <= set(order[: number + 2]), name


@pytest.mark.parametrize("folder", [*FOLDERS, "analyzer"])
def test_imports_go_down_only(folder: str) -> None:
    wrong = []
    for found in imports(folder):
        parts = found.module.split(".")
        if parts[0] == "edan_ros" and len(parts) > 1:
            allowed = ALLOWED[folder] | ({"networks"} if is_with_torch(found.path) else set())
            if parts[1] not in {folder, "NEEDS_ROS", *allowed}:
                wrong.append(str(found))
    assert not wrong


def dependencies(path: Path, modules: Collection[str]) -> set[str]:
    """Return those of ``modules`` that a file imports outside functions.

    `from package import module` depends on the module, not on all that the package imports.
    """
    named = [(i.line, i.module) for i in imports_of(path) if not i.in_function]
    found = {(line, module) for line, module in named if module in modules}
    below = {(line, module.rpartition(".")[0]) for line, module in found}
    return {module for _, module in found - below}


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Whether at load or for type checking; imports inside functions break a cycle on purpose."""
    paths = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in PACKAGE.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    graph = {name: dependencies(path, paths.keys()) - {name} for name, path in paths.items()}
    cycles = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycles.append(" -> ".join(error.args[1]))
            first, second = error.args[1][:2]
            graph[second].discard(first)  # the sorter lists a node before those that depend on it
        else:
            break
    assert cycles == []


def test_core_imports_numpy_opencv_and_scipy_only() -> None:
    allowed = sys.stdlib_module_names | {"numpy", "cv2", "scipy", "edan_ros"}
    assert [str(found) for found in imports("core") if found.top not in allowed] == []


@pytest.mark.parametrize("folder", [name for name in FOLDERS if name != "nodes"])
def test_ros_is_imported_in_nodes_alone(folder: str) -> None:
    assert [str(found) for found in imports(folder) if is_ros(found)] == []


@pytest.mark.parametrize(
    "folder", [name for name in FOLDERS if name not in {"networks", "training"}]
)
def test_torch_is_imported_by_networks_and_training_alone(folder: str) -> None:
    wrong = [found for found in imports(folder) if found.top in TORCH]
    # Imported only when selected: the engine torch, and the benchmark, which compares the speed of
    # its matrix products.
    lazy = {*WITH_TORCH, "benchmark/machine.py"}
    wrong = [found for found in wrong if found.path.relative_to(PACKAGE).as_posix() not in lazy]
    assert [str(found) for found in wrong] == []


def test_test_files_have_unique_names() -> None:
    """pytest imports them as top-level modules and fails on two of one name."""
    counts = Counter(path.name for path in (ROOT / "test").rglob("*.py"))
    assert [name for name, count in counts.items() if count > 1] == ["conftest.py"]


def test_tensorrt_is_imported_by_its_engine_alone() -> None:
    found = [item for folder in FOLDERS for item in imports(folder)]
    gpu = [item for item in found if item.top in {"tensorrt", "pycuda"}]
    assert [str(item) for item in gpu if "tensorrt" not in item.path.name] == []


def test_the_command_line_imports_nodes_only_inside_functions() -> None:
    nodes = [item for item in imports("cli") if item.module.startswith("edan_ros.nodes")]
    assert [str(item) for item in nodes if item.at_load] == []


def test_the_run_time_path_imports_neither_torch_nor_scipy() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("core", "detection", "engines", "pipeline", "tracking", "nodes")
        for path in sources(folder)
        if not is_with_torch(path) and path.stem != "tensorrt" and not is_for_launch_files(path)
    ]
    pytest.importorskip("rclpy")
    refuse = "import sys\nsys.modules['torch'] = sys.modules['scipy'] = None"
    code = f"{refuse}\nimport {', '.join(modules)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
