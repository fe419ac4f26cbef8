"""The behaviours of `edan demo`: what they print and draw, and on a real clip what they decide."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edan_ros import FaceAnalyzer
from edan_ros.behaviors.announcer import AnnouncerOptions, AnnouncerSettings
from edan_ros.behaviors.companions import (
    AssistiveCompanion,
    HumanoidCompanion,
    VehicleCompanion,
)
from edan_ros.behaviors.reaction_table import parse_rules, read_rules
from edan_ros.cli.demo import BEHAVIORS
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, polarity_probabilities, valence_arousal
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.drawing.timeline import Levels, States
from edan_ros.recording.demo_writer import TIMELINE, VIDEO, Companion, DemoWriter

CONFIG = Path(__file__).parents[2] / "config"
CLIP = Path(__file__).parents[3] / "shared" / "data" / "media" / "expressions_one_face.mp4"
RULES = parse_rules(
    "rules: [{name: joy, emotion: happy, after: 0.5, behavior: nod, utterance: 'How nice!'}]"
)


def result_of(emotion: str, share: float = 0.9) -> FrameResult:
    index = EMOTIONS.index(emotion)
    p = np.full(7, (1 - share) / 6)
    p[index] = share
    landmarks = (MEAN_SHAPE * 120.0 + (320.0, 240.0)).astype(np.float32)
    polarity = polarity_probabilities(p)
    face = Face(
        track_id=1,
        box=Box.from_landmarks(landmarks),
        presence=0.99,
        landmarks=landmarks,
        emotion=index,
        label=emotion,
        confidence=share,
        probabilities=p,
        raw_probabilities=p,
        polarity=int(polarity.argmax()),
        polarity_probabilities=polarity,
        valence=valence_arousal(p)[0],
        arousal=valence_arousal(p)[1],
    )
    return FrameResult([face], 640, 480)


def play(companion: Companion, *looks: tuple[str, float]) -> str:
    """Return the output while a face shows each look for some seconds."""
    output, now = [], 0.0
    for emotion, seconds in looks:
        for _ in range(round(seconds * 10)):
            output += companion.follow(now, result_of(emotion))
            now = round(now + 0.1, 3)
    return "\n".join(output)


def test_the_vehicle_prints_its_decisions_with_reasons() -> None:
    output = play(VehicleCompanion(), ("neutral", 1.0), ("fear", 8.0), ("neutral", 20.0))
    order = ["driver attentive", "advice: fear", "Sustained fear of driver", "advice: releasing"]
    assert [output.index(text) for text in order] == sorted(output.index(text) for text in order)
    assert output.rstrip().endswith("no advice, scale 1.00 on its way to 1.00.")


def test_the_humanoid_prints_its_reactions_with_reasons() -> None:
    companion = HumanoidCompanion(RULES)
    output = play(companion, ("neutral", 1.0), ("happy", 3.0))
    assert 'nod: "How nice!" Person 1, whom it attends to, has looked happy' in output
    assert any("How nice!" in line for line in companion.caption())


def spans_of(companion: Companion, name: str) -> list[str]:
    """Return the texts of a row of bars, in their order."""
    (row,) = (row for row in companion.timeline.rows if row.name == name)
    assert isinstance(row, States)
    return [span.text for span in row.spans]


def test_the_timelines_show_engagement_and_the_monitor_of_the_driver() -> None:
    humanoid, vehicle = HumanoidCompanion(RULES), VehicleCompanion()
    for companion in (humanoid, vehicle):
        play(companion, ("neutral", 3.0))
    assert spans_of(humanoid, "engaged") == ["unknown", "engaging", "engaged"]
    assert spans_of(vehicle, "monitor") == ["attentive"]
    (eyes,) = (row for row in vehicle.timeline.rows if row.name == "eyes")
    assert isinstance(eyes, Levels)
    assert {math.isnan(perclos) for _, (_, perclos) in eyes.points} == {True}, "too little measured"


def test_the_assistant_speaks() -> None:
    options = AnnouncerOptions(announcer=AnnouncerSettings(language="es"))
    output = play(AssistiveCompanion(options), ("happy", 3.0))
    assert output == "says: Una persona delante, cerca, parece contenta."


def test_the_timeline_is_under_the_video_and_in_an_image(tmp_path: Path) -> None:
    companion = VehicleCompanion()
    image = Image(np.zeros((480, 640, 3), np.uint8), "bgr")
    with DemoWriter(tmp_path, companion) as record:
        for i in range(30):
            record.add(i * 10**8, result_of("fear"), image, None)
    assert tmp_path / TIMELINE in record.files()
    assert cv2.imread(str(tmp_path / TIMELINE)).shape[1] == 1600
    with av.open(str(tmp_path / VIDEO)) as container:
        stream = container.streams.video[0]
        strip = companion.timeline.strip(640, 3.0, companion.caption())
        assert (stream.width, stream.height) == (640, 2 * round((480 + strip.shape[0]) / 2))


# --- on a real clip: a woman who cries for six seconds, looks worried for three, then is merry


def lines_of_the_demo(behavior: str, out: Path) -> list[str]:
    """What `edan demo` prints, its nodes being processes."""
    command = [sys.executable, "-m", "edan_ros.cli.main", "demo", behavior, str(CLIP)]
    # A uniform prior calls more of the worried looks fear; these are the natural frequencies.
    command += ["--prior-strength", "1", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def results() -> list[tuple[int, FrameResult]]:
    """The results of the clip with their stamps in nanoseconds, from this process."""
    with FaceAnalyzer(prior_strength=1.0) as analyzer:
        return [
            (round(frame.stamp * 1e9), FrameResult(frame.faces, *frame.image.shape[1::-1]))
            for frame in analyzer.track(str(CLIP))
        ]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not CLIP.exists(), reason=f"needs ../shared/data/media/{CLIP.name}")
@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_decisions_on_a_clip_match_its_content(
    behavior: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The vehicle's as the demo prints them, the others' from results of the same pipeline."""
    if behavior == "vehicle":
        pytest.importorskip("rclpy")
        request.getfixturevalue("ros_domain")
        printed = lines_of_the_demo(behavior, tmp_path)
    else:
        companion: Companion = AssistiveCompanion(AnnouncerOptions())
        if behavior == "humanoid":
            companion = HumanoidCompanion(read_rules(CONFIG / "reactions.yaml"))
        with DemoWriter(tmp_path, companion) as record:
            printed = [
                line
                for stamp, result in request.getfixturevalue("results")
                for line in record.add(stamp, result, None, None)
            ]
    assert (tmp_path / TIMELINE).exists()

    def times(pattern: str) -> list[float]:
        lines = [line for line in printed if re.search(pattern, line)]
        return [float(line.split(" s ")[0]) for line in lines]

    if behavior == "vehicle":
        (raised,), (released,) = times("advice: distress"), times("advice: no advice.*1.00")[1:]
        assert 1.5 < raised < 6.0
        assert 9.0 < released < 19.0
    elif behavior == "humanoid":
        (comforted,), (shared,) = times("comfort_sadness"), times("share_joy")
        assert 1.5 < comforted < 6.0
        assert 9.5 < shared < 14.0
        # In between she looks up with a hand at her mouth: fear, to some models.
        assert len(times("priority")) - len(times("calm_fear")) == 2
        assert len(times("calm_fear")) <= 1
    else:
        assert times("looks sad")
        assert times("looks happy")
