"""Ctrl-C, SIGTERM and SIGHUP: commands end in order, without a traceback, at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_command(body: str, *, prefix: str = "") -> tuple[int, str]:
    """Run `edan doctor` with another body; the exit code and the output.

    body: statements of its run(args). prefix: statements before main() is called.
    """
    code = f"""
import os, signal, sys
def stop(number=signal.SIGINT):
    os.kill(os.getpid(), number)
{prefix}
from edan_ros.cli import doctor, main
def run(args):
{body}
    return 0
doctor.run = run
sys.argv = ["edan", "doctor"]
sys.exit(main.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_before_the_command_starts_ends_the_process(number: signal.Signals) -> None:
    code = (
        "import os; from edan_ros.cli._signals import handler; handler.install(); "
        f"os.kill(os.getpid(), {int(number)}); print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_a_command_runs_closes_what_is_open(number: signal.Signals) -> None:
    body = f"""
    try:
        stop({int(number)})
    finally:
        print("closed")
"""
    assert run_command(body) == (128 + number, "closed\n")


@pytest.mark.parametrize(
    "body",
    [
        # Modules written in C turn an interrupted import into an ImportError.
        """
    try:
        stop()
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error
""",
        # Python drops what a finalizer raises.
        """
    class Resource:
        def __del__(self):
            stop()
            for _ in range(10): pass
    Resource()
    import time
    time.sleep(20)
""",
        # Again while files are being closed.
        """
    try:
        stop()
    finally:
        stop()
""",
    ],
)
def test_an_interruption_shows_no_traceback(body: str) -> None:
    assert run_command(body) == (130, "")


def test_a_deferred_signal_ends_the_loop_and_a_second_one_interrupts() -> None:
    body = """
    from edan_ros.cli._signals import handler
    with handler.deferred() as stopped:
        print(stopped())
        stop()
        print(stopped())
        stop()
        print("not reached")
"""
    assert run_command(body) == (130, "False\nTrue\n")


def test_under_nohup_a_closed_terminal_does_not_end_a_command() -> None:
    prefix = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert run_command("    stop(signal.SIGHUP); print('goes on')", prefix=prefix) == (
        0,
        "goes on\n",
    )


def test_a_fault_of_the_program_still_shows_its_traceback() -> None:
    code, output = run_command("    1 / 0")
    assert code == 1
    assert "ZeroDivisionError" in output


#: `edan annotate` that pauses after 20 images of a pass until a signal comes.
PAUSING = """
import sys, time
from edan_ros.cli.main import handler, main
from edan_ros.recording.progress import ImageProgress

advance = ImageProgress.advance
passes, wanted = [], int(sys.argv.pop(1))

def advance_and_pause(self, lines=()):
    advance(self, lines)
    if self.images == 20:
        passes.append(self)
        if len(passes) == wanted:
            print("paused", flush=True)
            while not handler.number:
                time.sleep(0.01)

ImageProgress.advance = advance_and_pause
handler.install()
sys.exit(main())
"""
IMAGES = 60


def write_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(IMAGES):
            image = np.full((240, 320, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("number", "drawing"), [*((number, False) for number in NUMBERS), (signal.SIGTERM, True)]
)
def test_a_signal_leaves_a_readable_video_and_a_line_per_image(
    tmp_path: Path, number: signal.Signals, drawing: bool
) -> None:
    out = tmp_path / "out"
    arguments = ["annotate", str(write_video(tmp_path / "clip.mp4")), "--out", str(out)]
    # Images are processed in the first pass and drawn in the second.
    command = [sys.executable, "-c", PAUSING, "2" if drawing else "1", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    assert any(line == "paused\n" for line in process.stdout), process.wait()
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number, output
    assert "Stopped before the end" in output
    assert "Traceback" not in output
    lines = (out / "faces.jsonl").read_text().splitlines()
    with av.open(str(out / "annotated.mp4")) as container:
        assert len(list(container.decode(video=0))) == len(lines)
    assert 0 < len(lines) < IMAGES
    assert json.loads((out / "run.json").read_text())["settings"]["made by"] == "edan annotate"


@pytest.mark.slow
def test_ctrl_c_at_any_moment_shows_no_traceback(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    # A module that is imported first reports that Python itself has started.
    start = "import sys; from edan_ros.cli.main import main, handler; handler.install(); "
    code = f"{start} print('started', flush=True); sys.exit(main())"
    for delay in np.linspace(0.0, 1.4, 8):
        process = subprocess.Popen(
            [sys.executable, "-c", code, "annotate", "a.png", "--out", "out"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(float(delay))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
        assert process.returncode in (0, 130, -signal.SIGINT), output
        assert "Traceback" not in output
        assert "Error" not in output
