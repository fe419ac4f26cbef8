"""The command line as such: help, version, and the messages for wrong input."""

from __future__ import annotations

import builtins
import dis
import importlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import pytest

from edan_ros.cli.demo import behavior_and_source
from edan_ros.cli.main import commands, main, parser
from edan_ros.recording.files import locked_folder
from edan_ros.sources import SourceError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes, it writes into a folder of the test."""
    monkeypatch.chdir(tmp_path)


def usage_error(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    return int(error.value.code)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(["--version"]) == 0
    assert capsys.readouterr().out == f"edan {importlib.metadata.version('edan_ros')}\n"


@pytest.mark.parametrize("name", commands())
def test_every_command_has_a_help_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error([name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    summary = importlib.import_module(
        f"edan_ros.cli.{name.replace('-', '_')}"
    ).__doc__.splitlines()[0]
    assert " ".join(summary.split()) in text
    assert "None" not in text


def test_edan_alone_prints_the_help_and_lists_all_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert usage_error(["--help"]) == 0
    assert capsys.readouterr().out == text
    assert {"demo", "run", "doctor"} <= set(commands())
    assert all(f"    {name} " in text or f"    {name}\n" in text for name in commands())


#: Command lines as a user types them, with nothing but what is required.
COMMAND_LINES = (
    "annotate clip.mp4",
    "bag drive",
    "batch recordings",
    "benchmark",
    "data prepare ytf68 --from originals --to sets",
    "compare a.yaml b.yaml --data sets --out runs",
    "demo",
    "demo humanoid clip.mp4",
    "doctor",
    "engine build",
    "engine list",
    "engine clear",
    "evaluate edan-lite --data fer2013=fer.csv",
    "evaluate detector --data sets",
    "explain photo.jpg",
    "explain --mean fer2013=fer.csv",
    "export a.yaml run --data sets --to models",
    "models list",
    "models fetch yunet",
    "new-training photos",
    "play drive",
    "report out",
    "run",
    "run 0",
    "train a.yaml --data sets --out run",
    "view",
)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_accepts_its_shortest_command_line(line: str) -> None:
    args = parser().parse_args(line.split())
    assert args.command == line.split()[0]
    assert callable(args.run)


def test_every_command_has_a_shortest_command_line() -> None:
    missing = set(commands()) - {line.split()[0] for line in COMMAND_LINES}
    assert not missing


#: A command line of each command.
LINE_OF = {line.split()[0]: line for line in reversed(COMMAND_LINES)}


@pytest.mark.parametrize(
    "name", [*commands(), "data prepare", "engine build", "models fetch", "models list"]
)
def test_the_help_on_an_output_names_its_default(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    for flag in ("--out", "--to"):
        entry = re.search(rf"^  {flag} .*?(?=^  -|^$)", text, re.DOTALL | re.MULTILINE)
        if entry and f"[{flag} " in text:  # it is not required
            assert "(default:" in " ".join(entry[0].split())


@pytest.mark.parametrize("event", ["call", "import"])
@pytest.mark.parametrize("line", LINE_OF.values(), ids=LINE_OF.keys())
def test_ctrl_c_shows_no_traceback_in_any_command(
    line: str, event: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGINT at the first call, and at the first import, of a command's run."""
    name = line.split()[0].replace("-", "_")
    body = importlib.import_module(f"edan_ros.cli.{name}").run.__code__
    sent = []

    def interrupt() -> None:
        if not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGINT)

    def profile(frame: FrameType, kind: str, _: object) -> None:
        caller = frame if kind == "c_call" else frame.f_back
        if kind in ("call", "c_call") and caller is not None and caller.f_code is body:
            interrupt()

    real_import = builtins.__import__

    def importing(*args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_code is body:
            interrupt()
        return real_import(*args, **kwargs)

    if event == "call":
        sys.setprofile(profile)
    elif any(step.opname == "IMPORT_NAME" for step in dis.get_instructions(body)):
        monkeypatch.setattr(builtins, "__import__", importing)
    else:
        return  # it would run to its end
    try:
        code = main(line.split())
    finally:
        sys.setprofile(None)
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err
    # Some commands find what is missing before they import anything.
    assert sent or event == "import"
    assert code == 130 or not sent


def test_the_version_is_printed_without_loading_opencv() -> None:
    code = (
        "import sys; from edan_ros.cli.main import main\n"
        "try: main(['--version'])\n"
        "finally: print('cv2' in sys.modules or 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "False", done


def test_every_command_is_importable_without_ros_and_torch() -> None:
    code = (
        "import sys\n"
        "for name in ('rclpy', 'ament_index_python', 'torch', 'jinja2', 'edan_ros.msg'):\n"
        "    sys.modules[name] = None\n"
        "from edan_ros.cli.main import parser\n"
        "parser()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_whose_names_are_not_utf_8_are_processed(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    folder = tmp_path / os.fsdecode(b"d\xe9")
    folder.mkdir()
    face = cv2.cvtColor(data.astronaut()[:300, 80:380], cv2.COLOR_RGB2BGR)
    photo = folder / os.fsdecode(b"caf\xe9.png")
    photo.write_bytes(cv2.imencode(".png", face)[1].tobytes())
    out = folder / os.fsdecode(b"out\xe9")
    assert main(["annotate", str(photo), "--out", str(out)]) == 0
    assert (out / os.fsdecode(b"caf\xe9.jpg")).is_file()
    assert main(["report", str(out)]) == 0
    assert "caf" in (out / "faces.html").read_text(encoding="utf-8")
    assert main(["explain", str(photo), "--method", "gradcam", "--out", str(out)]) == 0
    assert (out / os.fsdecode(b"caf\xe9_face1.png")).is_file()


def test_a_name_that_is_not_utf_8_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    for command in ("annotate", "explain", "report", "bag", "demo"):
        assert main([command, name]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"edan {command}: there is no ")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["demo", "--sauce"], "unrecognized arguments: --sauce"),
        (["demo", "--rate", "fast"], "invalid float value: 'fast'"),
        (["demo", "--detector", "eyes"], "invalid choice: 'eyes'"),
        (["demo", "--rate", "-5"], "must be 0 or more"),
        (["demo", "--seconds", "0"], "must be above 0"),
        (["demo", "--parameters", "none.yaml"], "there is no file none.yaml"),
        (["run", "--detector-model", "none.onnx"], "there is no file none.onnx"),
        (["run", "a.mp4", "b.mp4"], "unrecognized arguments: b.mp4"),
        (
            ["evaluate", "detector", "--names", "eyes"],
            "there is no detector eyes: use auto, edan, yunet",
        ),
        (["train", "x.yaml", "--workers", "-1"], "must be a whole number from 0 up, not -1"),
        (["evaluate", "edan", "--pictures", "0"], "must be a whole number from 1 up, not 0"),
    ],
)
def test_a_wrong_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("anotate a.jpg", "did you mean 'annotate'?"),
        ("annotate a.jpg --detecter haar", "did you mean '--detector'?"),
        ("annotate a.jpg --privacy blurr", "did you mean 'blur'?"),
        (".", "did you mean `edan annotate .`?"),
        ("evaluate edan --data fer=a", "did you mean 'fer2013' or 'ferg'?"),
        ("models fetch yunett", "did you mean 'yunet'?"),
        ("--verson", "did you mean '--version'?"),
        # The value of an unknown flag is not taken for the source, which --mean excludes.
        ("annotate a.mp4 --out result.mp4", "is the name of a file: give result, for example"),
        ("explain --mean folder=a --threads 1", "edan explain: unrecognized arguments: --threads"),
    ],
)
def test_a_wrong_word_is_answered_with_the_likely_one(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(line.split()) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert error.count("\n") == 2  # without the usage, which fills a screen


def test_a_wrong_model_is_answered_with_the_likely_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "edan-litt", "--data", "folder=a"]) == 1
    assert capsys.readouterr().err.endswith("did you mean 'edan-lite'?\n")


WRONG_SOURCES = {
    "nope.mp4": "there is no nope.mp4: give a video, an image, a folder, a bag",
    "text.mp4": "text.mp4 is not a video that FFmpeg can read",
    "empty": "the folder empty holds no image",
    "no*.png": "no image matches no*.png",
    "text.mcap": "text.mcap cannot be read as a bag",
    "987": "webcam 987 does not exist",
}


@pytest.mark.parametrize(
    ("command", "source"),
    [
        *((["demo", "--source"], source) for source in WRONG_SOURCES),
        # `edan run` waits for a webcam to be plugged in.
        *((["run"], source) for source in WRONG_SOURCES if source != "987"),
    ],
)
def test_a_wrong_source_is_one_sentence(
    command: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("text.mp4").write_text("no video")
    Path("text.mcap").write_text("no bag")
    assert main([*command, source]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"edan {command[0]}: {WRONG_SOURCES[source]}")
    assert output.err.count("\n") == 1
    assert output.out == ""
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["bag", "play"])
def test_a_missing_bag_is_one_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rosbags")
    assert main([command, "nowhere"]) == 1
    assert capsys.readouterr().err == (
        f"edan {command}: there is no nowhere: give the folder of a bag, or its .mcap or .db3\n"
    )


def test_a_folder_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    Path("out").write_text("in the way")
    assert main(["demo", "--source", "a.png"]) == 1
    assert capsys.readouterr().err.startswith("edan demo: out cannot be written: ")


def test_two_runs_do_not_write_to_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    with locked_folder(Path("out")):
        for command in ("annotate", "explain", "demo"):
            if command == "demo":
                pytest.importorskip("rclpy")
            assert main([command, "a.png", "--out", "out"]) == 1
            error = capsys.readouterr().err
            assert error.startswith(f"edan {command}: another run is writing out now")
            assert error.count("\n") == 1


def test_a_configuration_that_is_not_text_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    cv2.imwrite("photo.jpg", np.zeros((8, 8, 3), np.uint8))
    assert main(["train", "photo.jpg", "--data", ".", "--out", "run"]) == 1
    assert capsys.readouterr().err == "edan train: photo.jpg is not a text file in UTF-8\n"


def test_models_without_an_action_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out == printed
    assert "edan-lite" in printed


def test_a_download_needs_no_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "yunet", "--offline", str(tmp_path), "--to", "models"]) == 1
    assert "yunet cannot be fetched: " in capsys.readouterr().err


def forget_modules(monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    """Import a module and those below it again; afterwards the ones from before are back."""
    parent = importlib.import_module(package)
    if hasattr(parent, name):
        monkeypatch.setattr(parent, name, getattr(parent, name))
    full = f"{package}.{name}"
    for module in [key for key in sys.modules if key == full or key.startswith(f"{full}.")]:
        monkeypatch.delitem(sys.modules, module)


def test_a_missing_module_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_modules(monkeypatch, "edan_ros", "nodes")
    # None in sys.modules makes an import fail as if the module were not there.
    monkeypatch.setitem(sys.modules, "rclpy", None)
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    assert main(["demo", "--source", "a.png"]) == 1
    output = capsys.readouterr().err
    assert output.startswith("edan demo needs ROS 2: install it")
    assert output.count("\n") == 1


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    forget_modules(monkeypatch, "edan_ros.report", "page")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    (tmp_path / "faces.jsonl").touch()
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "edan report: the Python module 'jinja2' is not installed here: "
        "pip install 'edan_ros[report]'\n"
    )


def test_doctor_finds_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rclpy")
    assert main(["doctor"]) == 0
    lines = {line[4:18].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert lines["engine"].startswith("ok")
    assert "edan-lite" in lines["engine"]
    assert lines["detector"].startswith("ok")
    assert lines["middleware"].split()[-1].startswith("rmw_")


def test_doctor_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", "nope"]) == 1
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x[4:10] == "engine")
    assert line.startswith("--")
    assert "no model is called 'nope'" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (None, "demo")),
        (["clip.mp4"], (None, "clip.mp4")),
        (["vehicle"], ("vehicle", "demo")),
        (["humanoid", "clip.mp4"], ("humanoid", "clip.mp4")),
        (["clip.mp4", "humanoid"], ("humanoid", "clip.mp4")),
    ],
)
def test_demo_takes_a_behaviour_and_a_source(
    words: list[str], expected: tuple[str | None, str]
) -> None:
    assert behavior_and_source(words, "demo") == expected


def test_demo_takes_one_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "a.mp4", "b.mp4"]) == 1
    assert "one source at a time, not a.mp4, b.mp4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vehicle", "humanoid"], "one behaviour at a time, not vehicle, humanoid"),
        (["vehicel"], "vehicel is neither a behaviour nor a source; did you mean 'vehicle'?"),
    ],
)
def test_demo_takes_one_behaviour(words: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        behavior_and_source(words, "demo")


def test_a_deprecation_is_reported_without_its_place_in_the_code() -> None:
    code = (
        "import sys, warnings; from edan_ros.cli import doctor, main\n"
        "def run(args):\n"
        "    warnings.warn('run.yaml: use max_images', FutureWarning)\n"
        "    warnings.warn('of a developer', RuntimeWarning)\n"
        "    return 0\n"
        "doctor.run = run; sys.argv = ['edan', 'doctor']; sys.exit(main.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *rest = done.stderr.splitlines()
    assert first == "warning: run.yaml: use max_images"
    assert any("RuntimeWarning: of a developer" in line for line in rest)
