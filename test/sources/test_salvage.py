"""Bags that are cut or damaged: what lies whole in them is read, and the rest is logged.

EDAN_CUTS=200 makes 200 random cuts of each bag instead of a few.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bags import SECOND, camera_info, compressed, raw, write_bag, write_humble_bag

from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag_reader import BagReader, Message
from edan_ros.sources.salvage import decompress_file

if sys.version_info >= (3, 14):
    from compression.zstd import compress as zstd_compress
else:
    from backports.zstd import compress as zstd_compress

CUTS = int(os.environ.get("EDAN_CUTS", "12"))
START = 1_700_000_000 * SECOND
COUNT = 240


def recording() -> list[tuple[str, int, object]]:
    """Two cameras, one raw and one compressed, with calibration."""
    messages: list[tuple[str, int, object]] = []
    for i in range(COUNT):
        stamp = START + i * SECOND // 30
        messages.append(("/front/image_raw", stamp + 10, raw(stamp, level=i % 150)))
        messages.append(("/front/camera_info", stamp + 20, camera_info(stamp)))
        messages.append(("/cabin/image_raw/compressed", stamp + 30, compressed(stamp, i % 150)))
    return messages


WRITERS: dict[str, Callable[[Path], Path]] = {
    "humble": lambda path: write_humble_bag(path, recording()),
    "sqlite3": lambda path: write_bag(path, recording()),
    "sqlite3-file": lambda path: write_bag(path, recording(), "sqlite3", "file"),
    "sqlite3-message": lambda path: write_bag(path, recording(), "sqlite3", "message"),
    "mcap": lambda path: write_bag(path, recording(), "mcap"),
    "mcap-zstd": lambda path: write_bag(path, recording(), "mcap", "storage"),
}
KINDS = pytest.mark.parametrize("kind", WRITERS)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bags")
    return {kind: write(folder / kind) for kind, write in WRITERS.items()}


def read(path: Path) -> tuple[list[Message], list[str]]:
    with BagReader(path) as reader:
        messages = list(reader.messages())
        return messages, reader.damage


def what_is_left(path: Path) -> tuple[list[Message], list[str]]:
    """What is read of a bag, which may be nothing at all, if that is said in the usual words."""
    try:
        return read(path)
    except SourceError as error:
        if "cannot be read as a bag: not one topic is found" not in str(error):
            raise
    return [], []


def storage_file(bag: Path) -> Path:
    (file,) = (path for path in bag.iterdir() if path.suffix != ".yaml")
    return file


def changed(bag: Path, folder: Path, data: bytes) -> Path:
    """A copy of the bag whose file holds other bytes."""
    folder.mkdir(exist_ok=True)
    (folder / "metadata.yaml").write_bytes((bag / "metadata.yaml").read_bytes())
    (folder / storage_file(bag).name).write_bytes(data)
    return folder


@KINDS
def test_a_whole_bag_is_read_whole(bags: dict[str, Path], kind: str) -> None:
    messages, damage = read(bags[kind])
    assert [m.time for m in messages] == sorted(time for _, time, _ in recording())
    assert damage == []
    with BagReader(bags[kind]) as reader:
        assert {name: topic.count for name, topic in reader.topics.items()} == dict.fromkeys(
            ("/front/image_raw", "/front/camera_info", "/cabin/image_raw/compressed"), COUNT
        )
        assert reader.times == (messages[0].time, messages[-1].time)
        some = list(reader.messages(["/front/camera_info"], start=START + SECOND))
        assert len(some) == COUNT - 30
        assert reader.deserialize(some[0]).header.stamp.sec == 1_700_000_001


@KINDS
def test_a_cut_bag_gives_what_lies_before_the_cut(
    bags: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    """Nothing false, nothing twice, in order; and not less than the place of the cut promises."""
    whole, _ = read(bags[kind])
    data = storage_file(bags[kind]).read_bytes()
    dice = random.Random(kind)
    for _ in range(CUTS):
        cut = dice.randrange(len(data))
        messages, damage = what_is_left(changed(bags[kind], tmp_path / "cut", data[:cut]))
        if not messages:
            # So near the beginning that no topic is known: where it is compressed, whole blocks
            # of 128 kB are lost, or the first chunk.
            assert cut < 0.35 * len(data), cut
            continue
        assert set(messages) <= set(whole)
        assert len(set(messages)) == len(messages)
        assert [m.time for m in messages] == sorted(m.time for m in messages)
        assert len(messages) >= (cut / len(data) - 0.35) * len(whole), cut
        assert len(damage) == 1
        if len(messages) < len(whole):
            assert f"{len(messages)} of its {len(whole)} messages can be read" in damage[0]


@KINDS
def test_a_bag_with_damaged_bytes_gives_the_rest(
    bags: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    whole, _ = read(bags[kind])
    data = storage_file(bags[kind]).read_bytes()
    dice = random.Random(kind)
    for _ in range(CUTS):
        at, broken = dice.randrange(len(data)), bytearray(data)
        broken[at : at + 64] = dice.randbytes(64)
        messages, _ = what_is_left(changed(bags[kind], tmp_path / "broken", bytes(broken)))
        if kind in ("humble", "sqlite3", "mcap"):
            # Nothing secures the bytes of a message: one may be wrong. The others are as they were.
            # What is compressed can be wrong up to its end: then it is enough that reading ends.
            assert len(set(messages) - set(whole)) <= 8


@KINDS
def test_the_source_of_images_goes_on_where_it_can(
    bags: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    data = storage_file(bags[kind]).read_bytes()
    cut = changed(bags[kind], tmp_path / "cut", data[: 3 * len(data) // 4])
    logged: list[str] = []
    frames = list(create_source(str(cut), topic="/front/image_raw", log=logged.append).frames())
    assert 0.35 * COUNT < len(frames) < COUNT
    assert frames[0].stamp_ns == START
    assert "is cut or damaged" in logged[-1]


def test_without_metadata_and_with_damaged_metadata(bags: dict[str, Path], tmp_path: Path) -> None:
    bag = changed(bags["mcap"], tmp_path / "bag", storage_file(bags["mcap"]).read_bytes())
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: [1")
    messages, damage = read(bag)
    assert len(messages) == 3 * COUNT
    assert damage == ["metadata.yaml is damaged: the files beside it are read without it"]
    (bag / "metadata.yaml").unlink()
    assert read(bag) == (messages, [])


def test_a_missing_file_is_reported(bags: dict[str, Path], tmp_path: Path) -> None:
    bag = changed(bags["mcap"], tmp_path / "bag", storage_file(bags["mcap"]).read_bytes())
    text = (bag / "metadata.yaml").read_text()
    name = storage_file(bag).name
    (bag / "metadata.yaml").write_text(text.replace(f"- {name}", f"- {name}\n  - lost_1.mcap", 1))
    messages, damage = read(bag)
    assert len(messages) == 3 * COUNT
    assert damage == ["lost_1.mcap is missing"]


@pytest.mark.parametrize("name", ["text.mcap", "text.db3", "text.bag", "text.mcap.zstd"])
@pytest.mark.parametrize("content", [b"", b"no bag", bytes(4096)])
def test_a_file_that_is_not_a_bag_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        read(tmp_path / name)


@pytest.mark.parametrize("sizes", [[5_000, 7_000], [400_000, 9_000], [100, 100, 100]])
def test_a_file_of_several_zstd_frames_is_read_whole(tmp_path: Path, sizes: list[int]) -> None:
    rng = random.Random(1)
    parts = [rng.randbytes(size) for size in sizes]
    packed, plain = tmp_path / "packed", tmp_path / "plain"
    packed.write_bytes(b"".join(zstd_compress(part) for part in parts))
    assert decompress_file(packed, plain)
    assert plain.read_bytes() == b"".join(parts)
    packed.write_bytes(packed.read_bytes()[:-10])
    assert not decompress_file(packed, plain)
