"""The announcer node over DDS, and speech through programs that stand in for the real ones."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from probe import wait_for
from replay import Replay, face
from std_msgs.msg import String

from edan_ros.nodes.behaviors.announcer_node import AnnouncerNode
from edan_ros.nodes.behaviors.speech import PROGRAMS, Speaker, SpeechError


@pytest.fixture
def make_replay(ros: None) -> Iterator[Callable[..., Replay]]:  # noqa: ARG001
    made: list[Replay] = []

    def make(**given: Any) -> Replay:
        made.append(Replay(AnnouncerNode, {"announcement": String}, **({"speech": "off"} | given)))
        return made[-1]

    yield make
    for replay in made:
        replay.close()


def said(replay: Replay) -> list[str]:
    return [message.data for message in replay.heard["announcement"]]


def test_people_and_their_changes_are_announced(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.play(3.0, face(1, "happy", x=0.2))
    assert said(replay) == ["A person on your left, near, looks happy."]
    replay.play(9.0, face(1, "sad", x=0.2))
    replay.play(5.0)
    assert said(replay)[1:] == [
        "The person on your left now looks sad.",
        "The person on your left has gone. Nobody is in view.",
    ]
    assert replay.report().message.startswith("newest sentence: The person on your left has gone")


def test_sentences_keep_the_configured_interval(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay(**{"announcer.interval": 1.5, "announcer.person_interval": 1.5})
    stamps = []
    rate = 10.0
    for i in range(round(12.0 * rate)):
        replay.tick(1.0 / rate)
        person = face(1, ("happy", "anger")[i // 15 % 2], x=(0.2, 0.8)[i // 20 % 2])
        if i % 5:
            replay.show(person)
        if i % 3 == 0:
            replay.show(person)
        replay.settle()
        stamps += [replay.now] * (len(said(replay)) - len(stamps))
    assert len(stamps) >= 3
    assert min(b - a for a, b in itertools.pairwise(stamps)) >= 1.5 - 1e-6


def test_the_language_changes_at_run_time(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay(**{"announcer.language": "pl"})
    replay.play(3.0, face(1, "happy"))
    assert said(replay) == ["Osoba na wprost, blisko, wygląda na szczęśliwą."]
    assert replay.set(announcer__language="es") == (True, "")
    good, why = replay.set(announcer__language="tlh")
    assert not good
    assert "'tlh' is not one of en, es, pl" in why
    replay.play(5.0, face(1, "happy"))
    assert said(replay)[1:] == ["Una persona delante, cerca, parece contenta."]


# --- speech


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a program of a name on PATH that writes down its arguments and takes a while."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, seconds: float = 0.0) -> Path:
        log = tmp_path / f"{name}.log"
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {log}.new\nmv {log}.new {log}\n')
        with program.open("a") as file:
            file.write(f"exec sleep {seconds}\n")
        program.chmod(0o755)
        return log

    return make


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_sentence_is_passed_to_the_speech_program(
    program: str, stand_in: Callable[..., Path]
) -> None:
    log = stand_in(program, 30.0)
    speaker = Speaker(program)
    assert speaker.say("Ein Satz; $(ls).", "de")
    wait_for(log.exists, "the program to be called")
    lines = log.read_text().splitlines()
    assert lines[-2:] == ["--", "Ein Satz; $(ls)."]
    assert "de" in lines
    assert not speaker.say("Zu früh.", "de")
    speaker.close()
    assert not speaker.busy()


def test_auto_selects_an_installed_program_and_off_none() -> None:
    assert Speaker("auto", which=lambda name: name if name == "espeak-ng" else None).program == (
        "espeak-ng"
    )
    nothing = Speaker("auto", which=lambda _: None)
    assert not nothing.say("Nobody hears this.", "en")
    assert Speaker("off").program == ""
    with pytest.raises(SpeechError, match="spd-say is not installed"):
        Speaker("spd-say", which=lambda _: None)


def test_no_sentence_starts_while_another_is_spoken(
    make_replay: Callable[..., Replay], stand_in: Callable[..., Path]
) -> None:
    log = stand_in("espeak-ng", 30.0)
    replay = make_replay(speech="espeak-ng")
    replay.play(3.0, face(1, "happy", x=0.2))
    wait_for(log.exists, "the program to be called")
    assert log.read_text().splitlines()[-1] == "A person on your left, near, looks happy."
    replay.play(8.0, face(1, "sad", x=0.8))
    assert len(said(replay)) == 1
