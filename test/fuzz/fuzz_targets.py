"""What is fuzzed: each target makes inputs from a random generator, and checks one input."""

from __future__ import annotations

import contextlib
import math
import random
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_images import EDGES, SEEDS, mutate, mutate_bytes

from edan_ros.core.images import Image, ImageError, decode_compressed, decode_file
from edan_ros.core.settings import SettingsError, fields_of, from_values

ROOT = Path(__file__).parents[2]
# The builders of bags and the invariants of behaviours are those of the other tests.
sys.path += [str(ROOT / "test" / name) for name in ("sources", "behaviors", "nodes")]


class Target(ABC):
    """One kind of input."""

    #: Most bytes of an input.
    max_bytes = 100_000

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Return valid inputs."""

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Use an input. Any exception is a fault, as is a crash or a hang."""

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        """Return a changed input."""
        return mutate_bytes(data, rng)


class Images(Target):
    """Encoded images, as messages and as files.

    Args:
        formats: of SEEDS.
    """

    def __init__(self, *formats: str) -> None:
        self._formats = formats or tuple(SEEDS)

    def seeds(self) -> list[bytes]:
        return [data for name in self._formats for data in SEEDS[name]()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return mutate(data, rng)

    def check(self, data: bytes) -> None:
        for decode in (
            lambda: decode_compressed(data, "fuzz"),
            lambda: decode_compressed(data, "fuzz", reduction=4, gray=True),
            lambda: decode_file(data, "fuzz"),
        ):
            with contextlib.suppress(ImageError):
                _check_image(decode())


def _check_image(image: Image) -> None:
    assert image.pixels.dtype == "uint8"
    assert image.pixels.size
    assert image.width >= image.pixels.shape[1]
    assert image.height >= image.pixels.shape[0]
    assert image.bgr().shape == (*image.pixels.shape[:2], 3)


class Bags(Target):
    """Single files of bags, in both storages, whole and damaged."""

    def seeds(self) -> list[bytes]:
        from bags import SECOND, camera_info, compressed, raw, write_bag

        messages = [
            item
            for i in range(4)
            for item in (
                ("/image_raw", i * SECOND, raw(i * SECOND, i)),
                ("/camera_info", i * SECOND, camera_info(i * SECOND)),
                ("/other/image_raw/compressed", i * SECOND, compressed(i * SECOND, i)),
            )
        ]
        with tempfile.TemporaryDirectory() as folder:
            paths = [
                write_bag(Path(folder, f"{storage}_{compression}"), messages, storage, compression)
                for storage, compression in (
                    ("sqlite3", "none"),
                    ("mcap", "none"),
                    ("mcap", "storage"),
                )
            ]
            files = [f for path in paths for f in path.iterdir() if f.suffix in (".db3", ".mcap")]
            return [file.read_bytes() for file in files]

    def check(self, data: bytes) -> None:
        from edan_ros.sources.bag import BagSource
        from edan_ros.sources.base import SourceError

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bag.db3" if data.startswith(b"SQLite") else "bag.mcap")
            path.write_bytes(data)
            with contextlib.suppress(SourceError):
                for frame in BagSource(path).frames():
                    _check_image(frame.image)


class Video(Target):
    """Packets of H.264 and H.265: the first byte is the codec, each NAL unit one packet."""

    CODECS = ("h264", "hevc")

    def seeds(self) -> list[bytes]:
        from streams import encode, moving

        images = moving(4, 64, 48)
        return [
            bytes([number]) + b"".join(encode(codec, images).values())
            for number, codec in enumerate(self.CODECS)
        ]

    def check(self, data: bytes) -> None:
        from edan_ros.sources.video_packets import PacketDecoder

        codec = self.CODECS[data[0] % 2 if data else 0]
        decoder: PacketDecoder[int] = PacketDecoder()
        for number, unit in enumerate(data[1:].split(b"\0\0\1")):
            with contextlib.suppress(ImageError):
                for frame in decoder.decode(b"\0\0\1" + unit, codec, number):
                    assert 0 <= frame.origin <= number
                    _check_image(frame.image())
        for frame in decoder.flush():
            _check_image(frame.image(gray=True))


class Messages(Target):
    """Serialised messages of other nodes: faces, raw images, calibrations."""

    def _types(self) -> list[Any]:
        from edan_ros.msg import FaceEmotionArray
        from sensor_msgs.msg import CameraInfo
        from sensor_msgs.msg import Image as ImageMessage

        return [FaceEmotionArray, ImageMessage, CameraInfo]

    def seeds(self) -> list[bytes]:
        from edan_ros.msg import FaceEmotion
        from rclpy.serialization import serialize_message

        array, image, info = (kind() for kind in self._types())
        face = FaceEmotion(track_id=1, label="happy", head_pose_valid=True)
        face.landmarks_x = [1.0] * 68
        face.landmarks_y = [2.0] * 68
        face.head_pose.orientation.w = 1.0
        face.action_units, face.action_unit_intensities = ["AU12"], [0.5]
        array.image_width, array.image_height, array.faces = 640, 480, [face, FaceEmotion()]
        image.width, image.height, image.step, image.encoding = 8, 6, 8, "mono8"
        image.data = list(range(48))
        info.width, info.height, info.distortion_model = 8, 6, "plumb_bob"
        info.k = info.r = [8.0, 0.0, 4.0, 0.0, 8.0, 3.0, 0.0, 0.0, 1.0]
        info.p = [8.0, 0.0, 4.0, 0.0, 0.0, 8.0, 3.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        info.d = [0.0] * 5
        messages = enumerate((array, image, info))
        return [bytes([number]) + serialize_message(message) for number, message in messages]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        changed = bytearray(mutate_bytes(data, rng) if rng.random() < 0.5 else data)
        for _ in range(rng.randint(1, 3)):  # a number in place of another
            if len(changed) > 16:
                at = rng.randrange(5, len(changed) - 8)
                changed[at : at + 8] = _number(rng)
        return data[:1] + bytes(changed[1:])

    def check(self, data: bytes) -> None:
        from rclpy.serialization import deserialize_message

        from edan_ros.core.head_pose import CameraModelError
        from edan_ros.core.message_fields import camera_model, decode_image
        from edan_ros.nodes.common.conversions import MessageError, detections, frame_result

        kinds = self._types()
        number = data[0] % len(kinds) if data else 0
        try:
            message = deserialize_message(data[1:], kinds[number])
        except Exception:
            return  # the middleware does not deliver it
        with contextlib.suppress(MessageError, ImageError, CameraModelError):
            if number == 0:
                detections(message)
                for face in frame_result(message).faces:
                    face.to_dict()
                    assert -0.001 <= face.confidence <= 1.001
            elif number == 1:
                _check_image(decode_image(message))
            else:
                camera_model(message)
                camera_model(message, rectified=True)


def _number(rng: random.Random) -> bytes:
    import struct

    value = rng.choice((math.nan, math.inf, -math.inf, 0.0, -1.0, 1.5, 1e30, 1e200, 1e-300))
    if rng.random() < 0.5:
        return struct.pack("<d", value)
    with contextlib.suppress(OverflowError):
        return struct.pack("<ff", value, value)
    return struct.pack("<II", rng.choice(EDGES), rng.choice(EDGES))


class Behaviors(Target):
    """Sequences of snapshots, with the invariants of the tests of the behaviours."""

    def _properties(self) -> list[Callable[..., None]]:
        import test_announcer
        import test_cabin
        import test_roster
        import test_social

        return [
            test_cabin.test_invariants_of_the_vehicle,
            test_social.test_invariants_of_the_humanoid,
            test_announcer.test_invariants_of_the_announcer,
            test_roster.test_invariants_of_the_roster,
        ]

    def seeds(self) -> list[bytes]:
        rng = random.Random(0)
        return [rng.randbytes(5 * length) for length in range(2, 13)]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return mutate_bytes(data, rng)[:100].ljust(10, b"\0")

    def check(self, data: bytes) -> None:
        for test in self._properties():
            test.hypothesis.inner_test(data)  # type: ignore[attr-defined]


class Parameters(Target):
    """Values of parameters, tables of reactions and catalogues of sentences.

    The first byte chooses between a table, a catalogue and values; a generator seeded with the
    rest chooses the values.
    """

    def seeds(self) -> list[bytes]:
        languages = ROOT / "edan_ros" / "behaviors" / "languages"
        return [
            b"0" + (ROOT / "config" / "reactions.yaml").read_bytes(),
            b"1" + (languages / "en.yaml").read_bytes(),
            *(b"2" + bytes([i]) for i in range(20)),
        ]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        if data[:1] not in (b"0", b"1"):
            return b"2" + rng.randbytes(8)
        lines = data[1:].splitlines()
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(lines))
            key, colon, _ = lines[at].partition(b":")
            word = rng.choice(_WORDS)
            lines[at] = rng.choice((b"", key + colon + b" " + word, lines[at] + word, word))
        changed = b"\n".join(lines)
        return data[:1] + (mutate_bytes(changed, rng) if rng.random() < 0.3 else changed)

    def check(self, data: bytes) -> None:
        from edan_ros.behaviors.catalogue import parse_catalogue
        from edan_ros.behaviors.reaction_table import parse_rules

        with contextlib.suppress(SettingsError, UnicodeDecodeError):
            if data[:1] == b"0":
                parse_rules(data[1:].decode())
            elif data[:1] == b"1":
                parse_catalogue(data[1:].decode())
            else:
                _check_values(random.Random(data[1:]))


_WORDS = (
    *(b"[]", b"{}", b"null", b"-1", b".nan", b".inf", b"1e400", b"off", b"''", b"{", b"'{0}'"),
    *(b"'{name}'", b"'{'", b"&a [*a]", b"!!python/none", b"2026-01-01", b"0x10", b"1" * 400),
)


def _check_values(rng: random.Random) -> None:
    """Create settings from values of the right type; run a behaviour with those accepted."""
    from scenarios import face, snapshot

    from edan_ros.behaviors.cabin import Cabin, CabinSettings
    from edan_ros.behaviors.social import SocialSettings
    from edan_ros.core.images.still_image import DecodeLimits
    from edan_ros.detection.factory import DetectionConfig
    from edan_ros.nodes.emotion import parameters
    from edan_ros.pipeline.config import PipelineConfig

    values = {p.name: p.default for p in parameters.PARAMETERS}
    changed = rng.sample(parameters.PARAMETERS, rng.randint(1, 4))
    with contextlib.suppress(ValueError):
        parameters.check(values | {p.name: _value(p.default, p, rng) for p in changed})
    kinds = (CabinSettings, SocialSettings, DecodeLimits, DetectionConfig, PipelineConfig)
    kind = rng.choice(kinds)
    settings = list(fields_of(kind))
    chosen = rng.sample(settings, rng.randint(1, min(4, len(settings))))
    config = from_values(kind, {item.name: _value(item.default, item, rng) for item in chosen})
    if isinstance(config, CabinSettings):
        cabin = Cabin(config)
        for i in range(30):
            cabin.observe(snapshot(0.3 * i, face(1, "fear", x=0.3 + 0.01 * i)), 0.3 * i)
            advice = cabin.step(0.3 * i + 0.1).advice
            assert 0.0 <= advice.scale <= 1.0, advice


def _value(default: Any, limits: Any, rng: random.Random) -> Any:
    """Return a value of the type of the default: inside, at and outside the range."""
    low, high = limits.low, limits.high
    if isinstance(default, bool):
        return rng.random() < 0.5
    if isinstance(default, (int, float)):
        edges = [0, 1, -1, *([low, high, low - 1, high + 1] if low is not None else [])]
        if isinstance(default, int):
            return int(rng.choice([*edges, 2**63 - 1]))
        more = [math.nan, math.inf, -0.0, 5e-324, 1e308]
        return float(rng.choice([*edges, *more, rng.uniform(low or 0.0, high or 1.0)]))
    if isinstance(default, (list, tuple)):
        return type(default)(
            rng.choice(("", "a", "a/b", "ä", "a b")) for _ in range(rng.choice((0, 1, 3)))
        )
    return rng.choice((*limits.choices, "", "a", "\0", "off", "{", "x" * 1000))


#: Name -> target.
TARGETS: dict[str, Callable[[], Target]] = {
    "images": Images,
    "bags": Bags,
    "video": Video,
    "messages": Messages,
    "behaviors": Behaviors,
    "parameters": Parameters,
    **{name: partial(Images, name) for name in SEEDS},
}
