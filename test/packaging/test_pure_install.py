"""Without ROS, a compiler and CMake: the wheel and the sdist install, and all but nodes works."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from trees import ROOT, PlainEnvironment, copy_tree

sys.path.insert(0, str(ROOT / "test" / "sources"))  # how the tests of sources write bags

from bags import SECOND, raw, write_bag

pytestmark = pytest.mark.slow

USE_THE_API = """
import sys
from edan_ros import FaceAnalyzer, draw_faces, list_models, to_frame
with FaceAnalyzer("edan-lite") as analyzer:
    faces = analyzer.analyze(sys.argv[1])
    tracked = [face.track_id for frame in analyzer.track([sys.argv[1]] * 3) for face in frame.faces]
print(len(faces), faces[0].to_dict()["label"], sorted(set(tracked)), len(list_models()) > 2)
draw_faces(sys.argv[1], faces).save("drawn.png")
"""
TRAINING = {
    "name": "small",
    "version": "0",
    "seed": 1,
    "batch": 8,
    "network": {"kind": "cnn2", "size": 32},
    "data": {"mine": {"layout": "folder"}},
    "validate": {"layout": "folder", "path": "mine"},
    "phases": [{"epochs": 1, "learning_rate": 0.003}],
    "optimiser": {"kind": "adam", "warmup_epochs": 0.1},
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source tree, its sdist, its wheel and the wheel that pip makes of the sdist."""
    folder = tmp_path_factory.mktemp("archives")
    tree = copy_tree(folder / "edan_ros")
    builder = PlainEnvironment(folder / "builder")
    make_sdist = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    builder.call("-c", make_sdist, folder=tree)
    (sdist,) = (tree / "dist").iterdir()
    found = {"tree": tree}
    for name, source in (("wheel", tree), ("wheel of the sdist", sdist)):
        out = folder / name
        options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(out))
        builder.call("-m", "pip", "wheel", *options, str(source))
        (found[name],) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def plain(archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> PlainEnvironment:
    """An environment without ROS in which the wheel is installed."""
    environment = PlainEnvironment(tmp_path_factory.mktemp("plain"))
    environment.install(archives["wheel"])
    return environment


@pytest.fixture(scope="module")
def photograph(plain: PlainEnvironment) -> Path:
    """A smiling woman, 300 x 300 pixels."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    path = plain.folder / "woman.png"
    cv2.imwrite(str(path), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380])
    return path


@pytest.fixture(scope="module")
def data_set(plain: PlainEnvironment) -> Path:
    """Six images of noise each for two emotions."""
    rng = np.random.default_rng(0)
    folder = plain.folder / "data" / "mine"
    for emotion in ("happy", "angry"):
        (folder / emotion).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 255, (64, 64), dtype=np.uint8)
            cv2.imwrite(str(folder / emotion / f"{number}.png"), pixels)
    return folder


def run_edan(plain: PlainEnvironment, *arguments: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = plain.edan(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_is_pure_python(archives: dict[str, Path]) -> None:
    assert archives["wheel"].name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        names = set(wheel.namelist())
    packaged = {name for name in names if name.startswith("edan_ros/")}
    tree = archives["tree"]
    sources = {
        path.relative_to(tree).as_posix()
        for path in (tree / "edan_ros").rglob("*")
        if path.is_file()
    }
    interfaces = {f"edan_ros/interfaces/msg/{path.name}" for path in (tree / "msg").glob("*.msg")}
    assert packaged == sources | interfaces
    assert any(name.endswith("share/edan_ros/config/train/edan-lite.yaml") for name in names)


def test_the_sdist_makes_the_same_wheel(archives: dict[str, Path]) -> None:
    contents = []
    for name in ("wheel", "wheel of the sdist"):
        with zipfile.ZipFile(archives[name]) as wheel:
            contents.append({entry.filename: entry.CRC for entry in wheel.infolist()})
    assert contents[0] == contents[1]


def test_modules_removed_since_are_not_packed(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "edan_ros")
    packed = tree / "build" / "lib" / "edan_ros"
    packed.mkdir(parents=True)
    (packed / "stale.py").write_text("")
    PlainEnvironment(tmp_path / "builder").call("setup.py", "-q", "build_py", folder=tree)
    assert (packed / "analyzer.py").is_file()
    assert not (packed / "stale.py").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, ""),
        ({"EDAN_ROS_INTERFACES": "on"}, "ROS 2 with rosidl_default_generators was not found"),
        ({"EDAN_ROS_INTERFACES": "yes"}, "'yes': set it to auto, on or off"),
        ({"AMENT_PREFIX_PATH": "/opt/ros/none"}, "AMENT_PREFIX_PATH is /opt/ros/none, but"),
        ({"AMENT_PREFIX_PATH": "/opt/ros/none", "EDAN_ROS_INTERFACES": "off"}, ""),
    ],
)
def test_the_build_decides_on_the_interfaces(
    plain: PlainEnvironment, archives: dict[str, Path], variables: dict[str, str], message: str
) -> None:
    done = subprocess.run(
        [plain.python, "setup.py", "-q", "--version"],
        cwd=archives["tree"],
        env=plain.environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (not message), done.stderr
    assert message in done.stderr


def test_the_interface_works(plain: PlainEnvironment, photograph: Path) -> None:
    assert plain.call("-c", USE_THE_API, str(photograph)) == "1 happy [1] True"
    assert (plain.folder / "drawn.png").stat().st_size > 10_000


def test_messages_say_what_to_install(plain: PlainEnvironment) -> None:
    code = "try: import edan_ros.msg\nexcept ImportError as error: print(error)"
    assert plain.call("-c", code).startswith("edan_ros.msg needs ROS 2: install it")


def test_edan_alone_prints_the_help(plain: PlainEnvironment) -> None:
    assert "annotate" in run_edan(plain)
    assert run_edan(plain, "--version").startswith("edan ")


def test_doctor_succeeds_without_ros(plain: PlainEnvironment) -> None:
    output = run_edan(plain, "doctor")
    (ros,) = [line for line in output.splitlines() if "ROS 2" in line.split("  ")]
    assert "needed for nodes only" in ros
    assert "onnxruntime" in output


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("demo",), ("view",), ("play", "recording")],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.usefixtures("recording")
def test_commands_of_nodes_say_what_to_install(
    plain: PlainEnvironment, arguments: tuple[str, ...]
) -> None:
    done = plain.edan(*arguments)
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f"edan {arguments[0]} needs ROS 2: install it (docs.ros.org)")
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def recording(plain: PlainEnvironment) -> Path:
    """A bag of five images without a face."""
    start = 1_700_000_000 * SECOND
    stamps = [start + number * SECOND // 10 for number in range(5)]
    return write_bag(plain.folder / "recording", [("/image_raw", t, raw(t)) for t in stamps])


def test_bag_writes_the_messages_of_this_package(plain: PlainEnvironment, recording: Path) -> None:
    assert "5 images" in run_edan(plain, "bag", str(recording))
    assert (plain.folder / "recording_faces" / "metadata.yaml").is_file()


def test_annotate_report_and_explain(plain: PlainEnvironment, photograph: Path) -> None:
    run_edan(plain, "annotate", str(photograph), "--out", "annotated")
    (lines,) = (plain.folder / "annotated").glob("*.jsonl")
    (line,) = [json.loads(text) for text in lines.read_text().splitlines()]
    assert [face["label"] for face in line["faces"]] == ["happy"]
    run_edan(plain, "report", "annotated")
    assert list((plain.folder / "annotated").glob("*.html"))
    assert "1 face" in run_edan(plain, "explain", str(photograph), "--out", "explained")


def test_evaluate_measures_a_data_set(plain: PlainEnvironment, data_set: Path) -> None:
    data = f"folder:mine={data_set}"
    output = run_edan(plain, "evaluate", "edan-lite", "--data", data, "--crop", "given")
    assert "mine" in output


def test_train_makes_a_model(plain: PlainEnvironment, data_set: Path) -> None:
    pytest.importorskip("torch", reason="training needs the train extra (torch)")
    config = plain.folder / "small.yaml"
    config.write_text(yaml.safe_dump(TRAINING))
    common = ("--data", str(data_set.parent), "--out", "small", "--device", "cpu")
    run_edan(plain, "train", str(config), *common, "--workers", "0")
    assert (plain.folder / "small").is_dir()
