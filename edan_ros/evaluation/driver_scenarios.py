"""Scripted drivers: what they do, what must be detected, and noisy measurements of their faces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from edan_ros.behaviors.driver_records import DriverState
from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.eyes import EYE_QUALITIES, EYES_NOT_MEASURED

VISIBLE, GLARE, OCCLUDED = (
    EYE_QUALITIES.index(q) for q in ("visible", "glasses_glare", "occluded")
)
#: Seconds on the road before the first event of a scenario.
LEAD = 20.0
#: Name of the event of a yawn, which is no state.
YAWN = "YAWN"
_WIDTH, _HEIGHT = 640, 480
#: Aspect ratio of the landmarks of open eyes, and its fraction that remains of closed ones.
_OPEN_RATIO, _CLOSED_SHARE = 0.29, 0.35
#: Where this driver looks on the road: not where the camera is.
_ROAD = (0.08, -0.06)


@dataclass(frozen=True)
class Look:
    """What a driver does. Angles are (yaw, pitch) in radians: yaw to the image's right, pitch up.

    Attributes:
        openness: of the eyes, 0 to 1.
        head: from the direction of the road.
        eyes: from the direction of the head.
        mouth: height between the lips over the width of the mouth.
        speaking: whether the mouth moves in speech.
        quality: index into EYE_QUALITIES.
        present: whether the face is found.
    """

    openness: float = 1.0
    head: tuple[float, float] = (0.0, 0.0)
    eyes: tuple[float, float] = (0.0, 0.0)
    mouth: float = 0.05
    speaking: bool = False
    quality: int = VISIBLE
    present: bool = True


@dataclass(frozen=True)
class Expected:
    """An event that must be detected.

    Attributes:
        kind: name of a DriverState, or YAWN.
        at: seconds from the start at which its definition is fulfilled.
        needs: "head" or "eyes" of the eye network, "lids" of that or of landmarks, "mouth".
    """

    kind: str
    at: float
    needs: str


@dataclass(frozen=True)
class Scenario:
    """A script and what must be detected in it.

    Attributes:
        name, about: for the report.
        script: looks, each with its seconds.
        expected: the events in their order.
        also: states that may be reported besides.
        hidden: what `Expected.needs` cannot be measured in it.
        blinks: blinks a minute.
        noise: factor on the usual noise.
        night: whether the image is dark.
        passenger: whether a passenger sleeps beside the driver.
    """

    name: str
    about: str
    script: tuple[tuple[float, Look], ...]
    expected: tuple[Expected, ...] = ()
    also: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    blinks: float = 16.0
    noise: float = 1.0
    night: bool = False
    passenger: bool = False

    @property
    def seconds(self) -> float:
        """Length of the script."""
        return sum(seconds for seconds, _ in self.script)


ROAD = Look()
OWL, LIZARD, LAP = (
    Look(head=(0.8, 0.0), eyes=(0.1, 0.0)),
    Look(eyes=(0.6, 0.0)),
    Look(head=(0.0, -0.25), eyes=(0.0, -0.35), openness=0.6),
)
ASLEEP, YAWNING = Look(openness=0.03), Look(mouth=0.8, openness=0.5)
BOWED = Look(head=(0.0, -0.8), quality=OCCLUDED)
_DROWSY = frozenset({"DROWSY"})
_GLANCE = 5.0


def _expect(needs: str, **times: float) -> tuple[Expected, ...]:
    return tuple(Expected(kind, LEAD + after, needs) for kind, after in times.items())


def _covered(look: Look) -> Look:
    return replace(look, quality=OCCLUDED)


def _glance(look: Look) -> tuple[tuple[float, Look], ...]:
    return (LEAD, ROAD), (_GLANCE, look), (10.0, ROAD)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "Long glance with the head",
        "The head turns aside for 5 s.",
        _glance(OWL),
        _expect("head", LOOKING_AWAY=3.0),
    ),
    Scenario(
        "Long glance with the eyes",
        "The eyes look aside for 5 s, the head stays on the road.",
        _glance(LIZARD),
        _expect("eyes", LOOKING_AWAY=3.0),
    ),
    Scenario(
        "Glance into the lap",
        "The eyes look down for 5 s, as at a telephone; the head bows a little.",
        _glance(LAP),
        _expect("eyes", LOOKING_AWAY=3.0),
    ),
    Scenario(
        "Many short glances",
        "Seven glances of 1.8 s with the eyes, 1.2 s on the road in between.",
        ((LEAD, ROAD), *((1.8, LIZARD), (1.2, ROAD)) * 7, (10.0, ROAD)),
        _expect("eyes", DISTRACTED=16.0),
    ),
    Scenario(
        "Microsleep",
        "The eyes close for 1.5 s.",
        ((LEAD, ROAD), (1.5, ASLEEP), (10.0, ROAD)),
        _expect("lids", MICROSLEEP=1.0),
    ),
    Scenario(
        "Sleep",
        "The eyes close for 8 s.",
        ((LEAD, ROAD), (8.0, ASLEEP), (10.0, ROAD)),
        _expect("lids", MICROSLEEP=1.0, SLEEP=3.0, UNRESPONSIVE=6.0),
        _DROWSY,
    ),
    Scenario(
        "Heavy lids",
        "The eyes close for 0.8 s again and again, and open for a second.",
        ((LEAD, ROAD), *((0.8, ASLEEP), (1.0, ROAD)) * 8, (10.0, ROAD)),
        _expect("lids", DROWSY=9.41),
        blinks=0.0,
    ),
    Scenario(
        "Yawns",
        "Three yawns of 4 s with half-closed eyes.",
        ((LEAD, ROAD), *((4.0, YAWNING), (20.0, ROAD)) * 3),
        (
            *(Expected(YAWN, LEAD + 1.5 + 24.0 * i, "mouth") for i in range(3)),
            *_expect("mouth", DROWSY=52.0),
        ),
    ),
    Scenario("Speech", "A minute of speech.", ((60.0, Look(speaking=True)),)),
    Scenario("Blinks", "A minute with 25 blinks.", ((60.0, ROAD),), blinks=25.0),
    Scenario(
        "Sunglasses",
        "Sunglasses all the time; the head turns aside for 5 s, then the eyes close for 8 s.",
        (
            *((LEAD, _covered(ROAD)), (_GLANCE, _covered(OWL)), (10.0, _covered(ROAD))),
            *((8.0, _covered(ASLEEP)), (10.0, _covered(ROAD))),
        ),
        (*_expect("head", LOOKING_AWAY=3.0), *_expect("lids", MICROSLEEP=16.0, SLEEP=18.0)),
        hidden=frozenset({"lids", "eyes"}),
    ),
    Scenario(
        "Night",
        "A dark image: more noise, and one image in six without a face. The eyes close for 8 s.",
        ((LEAD, ROAD), (8.0, ASLEEP), (10.0, ROAD)),
        _expect("lids", MICROSLEEP=1.0, SLEEP=3.0, UNRESPONSIVE=6.0),
        _DROWSY,
        noise=2.0,
        night=True,
    ),
    Scenario(
        "Bowed head",
        "The head sinks to the chest for 8 s and hides the eyes.",
        ((LEAD, ROAD), (8.0, BOWED), (10.0, ROAD)),
        _expect("head", LOOKING_AWAY=3.0, UNRESPONSIVE=6.0),
    ),
    Scenario(
        "Two people",
        "The passenger sleeps with a turned head; the driver looks aside for 5 s.",
        _glance(OWL),
        _expect("head", LOOKING_AWAY=3.0),
        passenger=True,
    ),
    Scenario(
        "Empty seat",
        "The driver is out of the image for 5 s.",
        _glance(Look(present=False)),
        _expect("face", ABSENT=3.0),
    ),
)


def normal_driving(seconds: float, seed: int = 0) -> Scenario:
    """Return normal driving without any event that must be reported.

    Glances at mirrors, instruments and the console take about a seventh of the time and 1.8 s at
    most each. The driver speaks for half of the time, squints, smiles, rubs the eyes, yawns now
    and then, and is lost for moments.
    """
    rng = np.random.default_rng(seed)
    script: list[tuple[float, Look]] = []
    passed, conversation, squints, next_yawn = 0.0, 0.0, False, 400.0
    base = ROAD
    while passed < seconds:
        if passed >= conversation:
            conversation = passed + rng.uniform(20.0, 90.0)
            squints = bool(rng.random() < 0.2)
            base = Look(speaking=not base.speaking, openness=0.65 if squints else 1.0)
        side = float(rng.choice((-1.0, 1.0)))
        choices: tuple[tuple[float, float, float, Look], ...] = (
            (0.30, 0.5, 1.1, replace(base, eyes=(0.55 * side, 0.1))),
            (0.20, 0.5, 1.1, replace(base, head=(0.6 * side, 0.0), eyes=(0.2 * side, 0.0))),
            (0.24, 0.4, 0.8, replace(base, eyes=(0.0, -0.4), openness=0.6)),
            (0.08, 1.0, 1.8, replace(base, head=(0.3 * side, -0.2), eyes=(0.2 * side, -0.3))),
            (0.06, 1.0, 3.0, replace(base, mouth=0.2, openness=0.6)),
            (0.05, 1.0, 2.5, replace(base, quality=OCCLUDED)),
            (0.03, 2.0, 6.0, replace(base, quality=GLARE)),
            (0.04, 0.1, 0.6, replace(base, present=False)),
        )
        weights = np.array([weight for weight, *_ in choices])
        _, low, high, look = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
        part = [(rng.uniform(3.0, 7.0), base), (rng.uniform(low, high), look)]
        if passed > next_yawn:
            next_yawn += rng.uniform(500.0, 900.0)
            part.append((rng.uniform(3.0, 6.0), YAWNING))
        script += part
        passed += sum(length for length, _ in part)
    return Scenario(
        "Normal driving",
        "Glances at mirrors, instruments and console, speech, squinting, smiles, eye rubbing, "
        "reflections, moments without a face, a yawn every ten minutes.",
        tuple(script),
        also=frozenset({YAWN}),
    )


def looks(scenario: Scenario, rate: float, seed: int) -> Iterator[tuple[float, Look]]:
    """Yield the time and the look of each image: the script with blinks and speech, no noise."""
    rng = np.random.default_rng((seed, 1))
    blink, closes = math.inf, 0.25
    if scenario.blinks:
        blink = rng.uniform(0.5, 1.5) * 60.0 / scenario.blinks
    begin, count = 0.0, 0
    syllables = rng.uniform(3.0, 6.0)
    for length, look in scenario.script:
        while (now := count / rate) < begin + length - 1e-9:
            openness, mouth = look.openness, look.mouth
            if now > blink + closes:
                blink += rng.uniform(0.5, 1.5) * 60.0 / scenario.blinks
                closes = rng.uniform(0.18, 0.35)
                syllables = rng.uniform(3.0, 6.0)
            if now >= blink:
                openness *= _blink((now - blink) / closes)
            if look.speaking:
                mouth = max(0.03, 0.35 * math.sin(math.tau * 0.5 * syllables * now) ** 2)
            yield now, replace(look, openness=openness, mouth=mouth)
            count += 1
        begin += length


def _blink(phase: float) -> float:
    """Return the openness, 0 to 1, at a phase of a blink: it closes faster than it opens."""
    if phase < 0.25:
        return 1.0 - phase / 0.25
    return 0.0 if phase < 0.5 else (phase - 0.5) / 0.5


@dataclass
class Camera:
    """A camera with a recogniser that measures scripted drivers with noise and gaps.

    Attributes:
        eye_network: whether eyes are measured, or judged by their landmarks alone.
        rate: images a second.
        seed: of the noise.
    """

    eye_network: bool = True
    rate: float = 15.0
    seed: int = 0
    _rng: np.random.Generator = field(init=False, repr=False)

    def snapshots(self, scenario: Scenario) -> Iterator[tuple[float, Snapshot]]:
        """Yield the time and the faces of each image of a scenario."""
        self._rng = rng = np.random.default_rng((self.seed, 2))
        for time, look in looks(scenario, self.rate, self.seed):
            if rng.random() < 0.02:  # an image that was lost
                continue
            stamp = time + rng.uniform(-0.1, 0.1) / self.rate
            found = look.present and not (scenario.night and rng.random() < 1.0 / 6.0)
            faces = [self._face(1, 0.7, look, scenario.noise)] if found else []
            if scenario.passenger:
                beside = Look(openness=0.0, head=(-0.7, -0.2))
                faces.append(self._face(2, 0.2, beside, scenario.noise))
            yield time, Snapshot(stamp, _WIDTH, _HEIGHT, tuple(faces))

    def _face(self, track: int, x: float, look: Look, noise: float) -> FaceSnapshot:
        # Errors of the head 2 and of the gaze 5 degrees, of the openness 0.06; one value in a
        # hundred is anything.
        e = (noise * self._rng.normal(0.0, 1.0, 7)).tolist()
        wild = self._rng.random(2) < 0.01
        yaw, pitch = (_ROAD[i] + look.head[i] + 0.035 * e[i] for i in (0, 1))
        openness = self._rng.random() if wild[0] else look.openness + 0.06 * e[2]
        gaze_yaw, gaze_pitch = (_ROAD[i] + look.head[i] + look.eyes[i] + 0.09 * e[3 + i]
                                for i in (0, 1))  # fmt: skip
        if wild[1]:
            gaze_yaw, gaze_pitch = self._rng.uniform(-0.8, 0.8, 2).tolist()
        seen = self.eye_network and look.quality == VISIBLE
        visible_gaze = seen and look.openness > 0.25
        # Landmarks of covered eyes are those of a usual face.
        shown = look.openness if look.quality == VISIBLE else 0.9
        ratio = _OPEN_RATIO * (_CLOSED_SHARE + (1.0 - _CLOSED_SHARE) * shown) + 0.015 * e[5]
        return FaceSnapshot(
            track,
            Box(x * _WIDTH - 70.0, 170.0, 140.0, 140.0),
            EMOTIONS.index("neutral"),
            0.9,
            tuple(0.9 if name == "neutral" else 0.1 / 6.0 for name in EMOTIONS),
            polarity=0,
            yaw=yaw,
            pitch=pitch,
            roll=0.0,
            eye_aspect_ratio=max(ratio, 0.0),
            mouth_opening=max(look.mouth + 0.03 * e[6], 0.0),
            eye_quality=look.quality if self.eye_network else EYES_NOT_MEASURED,
            eye_openness=min(max(openness, 0.0), 1.0) if seen else math.nan,
            gaze=_direction(gaze_yaw, gaze_pitch) if visible_gaze else None,
        )


def _direction(yaw: float, pitch: float) -> tuple[float, float, float]:
    """Return the unit vector of angles in the camera optical frame."""
    across = math.cos(pitch)
    return math.sin(yaw) * across, -math.sin(pitch), -math.cos(yaw) * across


#: Names of the states that report something wrong.
ALARMS = frozenset(
    state.name for state in DriverState if state not in (DriverState.ATTENTIVE, DriverState.UNKNOWN)
)
