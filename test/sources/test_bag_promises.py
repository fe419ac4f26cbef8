"""MCAP files in which a few bytes are damaged: nothing is lost without a word.

The reader of the mcap library serves as the oracle for what a file holds.
"""

from __future__ import annotations

import random
import sqlite3
import struct
from binascii import crc32
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bags import SECOND, camera_info, raw, write_bag, write_humble_bag
from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, ChunkIndex, Message, Statistics
from mcap.stream_reader import StreamReader, breakup_chunk

from edan_ros.sources import SourceError
from edan_ros.sources.bag_reader import BagReader

START = 1_700_000_000 * SECOND
COUNT = 90
HEAD = 9  # bytes of a record's opcode and length


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MCAP file of several chunks: 90 images and 90 calibrations."""
    messages: list[tuple[str, int, object]] = []
    for i in range(COUNT):
        stamp = START + i * SECOND // 30
        messages.append(("/cam/image_raw", stamp, raw(stamp, level=i)))
        messages.append(("/cam/camera_info", stamp + 5, camera_info(stamp)))
    bag = write_bag(tmp_path_factory.mktemp("mcap") / "bag", messages, "mcap")
    return (bag / "bag.mcap").read_bytes()


def in_file(folder: Path, data: bytes) -> Path:
    path = folder / "bag.mcap"
    path.write_bytes(data)
    return path


def read(path: Path, topics: list[str] | None = None) -> tuple[list[tuple[str, int]], list[str]]:
    with BagReader(path) as reader:
        found = [(m.topic, m.time) for m in reader.messages(topics)]
        return found, reader.damage


def oracle(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Topic, time and data of the messages up to the first fault."""
    topics: dict[int, str] = {}
    with path.open("rb") as file:
        try:
            for record in StreamReader(file).records:
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                elif isinstance(record, Message):
                    yield topics[record.channel_id], record.log_time, record.data
        except (McapError, ValueError, struct.error, EOFError):
            return


def heads_of_images(data: bytes, folder: Path) -> list[int]:
    """Where the records of the image messages begin in the file."""
    path = in_file(folder, data)
    places: list[int] = []
    with path.open("rb") as file:
        records = list(StreamReader(file, emit_chunks=True).records)
    starts = [r.chunk_start_offset for r in records if isinstance(r, ChunkIndex)]
    chunks = [r for r in records if isinstance(r, Chunk)]
    for start, chunk in zip(starts, chunks, strict=True):
        at = start + HEAD + 40 + len(chunk.compression)
        for record in breakup_chunk(chunk):
            if isinstance(record, Message) and record.channel_id == 1:
                places.append(at)
            (length,) = struct.unpack_from("<Q", data, at + 1)
            at += HEAD + length
    return places


def test_a_whole_file_is_read_as_by_the_oracle(whole: bytes, tmp_path: Path) -> None:
    path = in_file(tmp_path, whole)
    with BagReader(path) as reader:
        found = [(m.topic, m.time, m.data) for m in reader.messages()]
        assert found == sorted(oracle(path), key=lambda m: m[1])
        assert reader.damage == []


def test_a_cut_file_gives_at_least_what_the_oracle_reads(whole: bytes, tmp_path: Path) -> None:
    dice = random.Random(3)
    for _ in range(10):
        path = in_file(tmp_path, whole[: dice.randrange(len(whole) // 3, len(whole))])
        found, damage = read(path)
        assert {(topic, time) for topic, time, _ in oracle(path)} <= set(found)
        assert len(damage) == 1


def zeros(data: bytearray, at: int) -> None:
    data[at : at + HEAD + 22] = bytes(HEAD + 22)


def flip(offset: int, bit: int) -> Callable[[bytearray, int], None]:
    def change(data: bytearray, at: int) -> None:
        data[at + offset] ^= 1 << bit

    return change


DAMAGES = {
    "zeros": zeros,
    "length": flip(1, 6),
    "long": flip(3, 2),
    "channel": flip(HEAD, 3),
    "other channel": flip(HEAD, 1),
    "time in the chunk": flip(HEAD + 6 + 2, 2),
    "time far off": flip(HEAD + 6 + 6, 3),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("number", [0, 40, 89])
def test_one_damaged_head_is_reported_with_the_number_of_lost_messages(
    whole: bytes, tmp_path: Path, damage: str, number: int
) -> None:
    data = bytearray(whole)
    DAMAGES[damage](data, heads_of_images(whole, tmp_path)[number])
    found, damage = read(in_file(tmp_path, bytes(data)))
    (line,) = [
        line for line in damage if "image_raw" in line or "messages can be read" in line
    ] or [
        line
        for line in damage
        if "camera_info" in line  # all images, and not all that follows
    ]
    images = sum(topic == "/cam/image_raw" for topic, _ in found)
    if "can be read" in line:
        assert f"{len(found)} of its {2 * COUNT} messages can be read" in line
    elif images < COUNT:
        assert f"{images} of the 90 messages in its index were read on /cam/image_raw" in line
    elif len(found) == 2 * COUNT:
        assert "1 message has another time than in its index on /cam/image_raw" in line
    else:
        assert f"{len(found) - COUNT} of the 90 messages in its index were read" in line


def test_damage_on_another_topic_is_not_reported(whole: bytes, tmp_path: Path) -> None:
    data = bytearray(whole)
    flip(HEAD + 6 + 6, 3)(data, heads_of_images(whole, tmp_path)[40])
    found, damage = read(in_file(tmp_path, bytes(data)), ["/cam/camera_info"])
    assert len(found) == COUNT
    assert damage == []


def test_a_damaged_topic_in_the_summary_is_read_from_the_data(whole: bytes, tmp_path: Path) -> None:
    at = whole.rindex(b"/cam/image_raw")
    wrong = whole[:at] + bytes(14) + whole[at + 14 :]
    found, damage = read(in_file(tmp_path, wrong))
    assert {topic for topic, _ in found} == {"/cam/image_raw", "/cam/camera_info"}
    assert len(found) == 2 * COUNT
    assert damage


def test_a_summary_with_a_wrong_checksum_is_not_trusted(whole: bytes, tmp_path: Path) -> None:
    """As the recorder of ROS writes it; that of rosbags leaves the checksum out."""
    footer = len(whole) - 8 - 20
    (start,) = struct.unpack_from("<Q", whole, footer)
    crc = crc32(whole[start : footer + 16])
    signed = whole[: footer + 16] + struct.pack("<I", crc) + whole[footer + 20 :]
    path = in_file(tmp_path, signed)
    with path.open("rb") as file:
        assert list(StreamReader(file, validate_crcs=True).records)
    assert read(path)[1] == []
    at = signed.rindex(b"/cam/image_raw")
    renamed = signed[:at] + b"/cam/image_rew" + signed[at + 14 :]
    found, damage = read(in_file(tmp_path, renamed))
    assert {topic for topic, _ in found} == {"/cam/image_raw", "/cam/camera_info"}
    assert damage


def test_a_wrong_statistics_record_is_reported(whole: bytes, tmp_path: Path) -> None:
    path = in_file(tmp_path, whole)
    with path.open("rb") as file:
        (counts,) = (r for r in StreamReader(file).records if isinstance(r, Statistics))
    entry = struct.pack("<HQ", 1, counts.channel_message_counts[1])
    at = whole.rindex(entry)
    wrong = whole[:at] + struct.pack("<HQ", 1, 94) + whole[at + len(entry) :]
    found, damage = read(in_file(tmp_path, wrong))
    assert len(found) == 2 * COUNT
    (line,) = damage
    assert "90 of the 94 messages in its statistics were read on /cam/image_raw" in line


def test_what_metadata_promises_and_no_file_holds_is_reported(tmp_path: Path) -> None:
    stamps = [START + i * SECOND for i in range(4)]
    messages = [("/cam/image_raw", stamp, raw(stamp)) for stamp in stamps]
    bag = write_bag(tmp_path / "bag", messages, "sqlite3")
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 4", "message_count: 6"))
    found, damage = read(bag)
    assert len(found) == 4
    assert damage == ["4 of the 6 messages that metadata.yaml promises on /cam/image_raw were read"]


def test_no_single_damaged_byte_is_silent(whole: bytes, tmp_path: Path) -> None:
    """Flipped bits anywhere: where the times read differ from the original, that is logged."""
    reference, _ = read(in_file(tmp_path, whole))
    dice = random.Random(5)
    heads = heads_of_images(whole, tmp_path)
    for _ in range(60):
        data = bytearray(whole)
        data[dice.choice(heads) + dice.randrange(HEAD + 14)] ^= 1 << dice.randrange(8)
        try:
            found, damage = read(in_file(tmp_path, bytes(data)))
        except SourceError:
            continue
        assert sorted(found) == sorted(reference) or damage


@pytest.mark.parametrize("column", ["name", "type"])
def test_a_damaged_name_of_a_topic_is_reported(tmp_path: Path, column: str) -> None:
    messages = [
        (f"/{name}/image_raw", START + i * SECOND, raw(START + i * SECOND))
        for name in ("front", "rear")
        for i in range(3)
    ]
    bag = write_bag(tmp_path / "bag", messages, "sqlite3")
    (file,) = bag.glob("*.db3")
    data = bytearray(file.read_bytes())
    # The serial type of a column of text becomes that of NULL, as one flipped bit may do.
    text = b"/rear/image_rawsensor_msgs/msg/Image"
    at = data.index(text)
    serials = bytes([2 * len(b"/rear/image_raw") + 13, 2 * len(b"sensor_msgs/msg/Image") + 13])
    place = data.rindex(serials, 0, at) + (column == "type")
    data[place] = 0
    file.write_bytes(data)
    found, damage = read(bag)
    assert {topic for topic, _ in found} == {"/front/image_raw"}
    assert damage


def test_a_time_outside_that_of_the_bag_is_reported(tmp_path: Path) -> None:
    messages = [("/image", START + i * SECOND, raw(START + i * SECOND)) for i in range(4)]
    bag = write_bag(tmp_path / "bag", messages, "sqlite3")
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as base:
        base.execute("UPDATE messages SET timestamp = timestamp + 1000000000000 WHERE id = 2")
    base.close()
    found, damage = read(bag)
    assert len(found) == 4
    assert damage == ["1 message has a time outside that of the bag"]


@pytest.mark.parametrize("occurrence", [0, 1])
def test_a_damaged_time_in_the_table_or_index_of_sqlite_is_reported(
    tmp_path: Path, occurrence: int
) -> None:
    """The time of the fifth message, which the table and the index hold."""
    stamps = [START + i * SECOND // 30 for i in range(20)]
    bag = write_humble_bag(tmp_path / "bag", [("/cam/image_raw", t, raw(0)) for t in stamps])
    (file,) = bag.glob("*.db3")
    data = bytearray(file.read_bytes())
    time = struct.pack(">q", stamps[4])
    places = [i for i in range(len(data) - 8) if data[i : i + 8] == time]
    assert len(places) == 2
    data[places[occurrence] + 3] ^= 0x10
    file.write_bytes(data)
    _, damage = read(file)
    assert damage


@pytest.mark.parametrize("value", [7, 2**40, 1.5, "text", None])
@pytest.mark.parametrize("column", ["data", "timestamp"])
def test_a_value_of_another_kind_in_sqlite_is_reported(
    tmp_path: Path, column: str, value: object
) -> None:
    stamps = [START + i * SECOND // 30 for i in range(20)]
    messages = [("/cam/image_raw", t, raw(0)) for t in stamps]
    (file,) = write_bag(tmp_path / "bag", messages, "sqlite3").glob("*.db3")
    with sqlite3.connect(file) as base:
        (columns,) = base.execute("SELECT sql FROM sqlite_master WHERE name='messages'").fetchone()
        base.execute("ALTER TABLE messages RENAME TO strict")
        base.execute(columns.replace("NOT NULL", ""))
        base.execute("INSERT INTO messages SELECT * FROM strict")
        base.execute("DROP TABLE strict")
        base.execute(f"UPDATE messages SET {column} = ? WHERE id = 5", (value,))
    base.close()
    found, damage = read(file)
    whole = {("/cam/image_raw", stamp) for stamp in stamps}
    assert len(whole.intersection(found)) >= 19
    if (column, value) not in (("timestamp", 7), ("timestamp", 2**40)):  # no less a time
        assert damage
