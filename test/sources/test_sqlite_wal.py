"""SQLite bags whose recorder was killed: the messages in the log are read, and no file changes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from bags import SECOND, STORE, raw, write_humble_bag

from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag_reader import BagReader

_INSERT = "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)"
START = 1_700_000_000 * SECOND


def message(number: int) -> tuple[int, bytes]:
    stamp = START + number * SECOND // 30
    image = raw(stamp, level=number % 150)
    return stamp, bytes(STORE.serialize_cdr(image, image.__msgtype__))


def killed_recording(
    folder: Path, count: int, *, checkpoint_at: int = 0, first: int = 1, uncommitted: int = 0
) -> Path:
    """A bag of ``count`` images as a killed recorder leaves it: with a log, without metadata.

    checkpoint_at: after so many images the log was written into the file. first: images that are
    in the file from the beginning. uncommitted: further images of a transaction without an end.
    """
    stamp, _ = message(0)
    images = [("/cam/image_raw", stamp, raw(stamp))] * first
    bag = write_humble_bag(folder / "live", images)
    (file,) = bag.glob("*.db3")
    base = sqlite3.connect(file, isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    base.execute("PRAGMA cache_size=4")  # so that pages reach the log before the commit
    for i in range(first, count):
        base.execute("BEGIN")
        base.execute(
            "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)", message(i)
        )
        base.execute("COMMIT")
        if i == checkpoint_at:
            base.execute("PRAGMA wal_checkpoint(RESTART)")
    base.execute("BEGIN")
    for i in range(count, count + uncommitted):
        base.execute(
            "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)", message(i)
        )
    (bag / "metadata.yaml").unlink()
    # What lies on the disk when the process is gone; the copy has no shared memory file.
    copy = folder / "killed"
    copy.mkdir()
    for path in bag.iterdir():
        if not path.name.endswith("-shm"):
            shutil.copy(path, copy)
    base.execute("ROLLBACK")
    base.close()
    return copy


def contents(bag: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bag.iterdir()}


def read(bag: Path) -> tuple[list[tuple[int, bytes]], list[str]]:
    with BagReader(bag) as reader:
        found = [(m.time, m.data) for m in reader.messages()]
        return found, reader.damage


@pytest.mark.parametrize("checkpoint_at", [0, 30])
def test_messages_in_the_log_are_read_and_no_file_changes(
    tmp_path: Path, checkpoint_at: int
) -> None:
    bag = killed_recording(tmp_path, 120, checkpoint_at=checkpoint_at)
    before = contents(bag)
    found, damage = read(bag)
    assert found == [message(i) for i in range(120)]
    assert damage == []
    assert contents(bag) == before
    assert len(list(create_source(str(bag)).frames())) == 120


def test_a_log_without_anything_in_the_file_is_read(tmp_path: Path) -> None:
    """The file holds no topic yet: all is in the log."""
    bag = killed_recording(tmp_path, 40)
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(":memory:") as empty:
        empty.execute("VACUUM INTO ?", (str(tmp_path / "empty.db3"),))
    (wal,) = bag.glob("*-wal")
    # A log of all pages: that of a database which was vacuumed within its log.
    base = sqlite3.connect(file)
    base.execute("PRAGMA wal_autocheckpoint=0")
    base.execute("VACUUM")
    data, log = (tmp_path / "empty.db3").read_bytes(), wal.read_bytes()
    base.close()
    file.write_bytes(data)
    wal.write_bytes(log)
    found, damage = read(bag)
    assert [time for time, _ in found] == [message(i)[0] for i in range(40)]
    assert damage == []


def test_an_unfinished_transaction_is_left_out_and_reported(tmp_path: Path) -> None:
    bag = killed_recording(tmp_path, 40, uncommitted=30)
    found, damage = read(bag)
    assert found == [message(i) for i in range(40)]
    (line,) = damage
    assert "live_0.db3-wal the messages after the last commit are lost" in line
    assert "its last transaction was not completed" in line


def test_a_cut_log_gives_what_sqlite_reads(tmp_path: Path) -> None:
    bag = killed_recording(tmp_path, 60)
    (wal,), (file,) = bag.glob("*-wal"), bag.glob("*.db3")
    log = wal.read_bytes()
    dice = random.Random(1)
    for number in range(8):
        data = bytearray(log)
        if number % 2:
            data = data[: dice.randrange(40, len(log))]
        else:
            data[dice.randrange(40, len(log))] ^= 1 << dice.randrange(8)
        wal.write_bytes(data)
        copy = tmp_path / f"copy_{number}"
        shutil.copytree(bag, copy)
        base = sqlite3.connect(copy / file.name)
        rows = base.execute("SELECT timestamp, data FROM messages ORDER BY timestamp").fetchall()
        base.close()
        found, damage = read(bag)
        assert found == rows
        assert damage or len(found) == 60


@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_file_beside_a_whole_log_loses_nothing_silently(
    tmp_path: Path, seed: int
) -> None:
    """The log holds the pages of the tail; those of the head are in the file alone."""
    bag = killed_recording(tmp_path, 60, first=30, checkpoint_at=35)
    (file,) = bag.glob("*.db3")
    data = bytearray(file.read_bytes())
    dice = random.Random(seed)
    at = dice.randrange(4096, len(data))
    match seed % 3:
        case 0:
            del data[at:]
        case 1:
            data[at:] = bytes(len(data) - at)
        case _:
            del data[at : at + dice.choice((1, 512, 4096))]
    file.write_bytes(data)
    with contextlib.suppress(SourceError):
        found, damage = read(bag)
        times = [time for time, _ in found]
        assert damage or times == [message(i if i >= 30 else 0)[0] for i in range(60)]


@pytest.mark.parametrize("occurrence", [0, 1])
def test_a_damaged_time_in_the_file_beside_a_log_is_reported(
    tmp_path: Path, occurrence: int
) -> None:
    bag = killed_recording(tmp_path, 40, checkpoint_at=35)
    (file,) = bag.glob("*.db3")
    data = bytearray(file.read_bytes())
    time = message(5)[0].to_bytes(8, "big")
    places = [i for i in range(len(data) - 8) if data[i : i + 8] == time]
    assert len(places) == 2  # in the table and in its index
    data[places[occurrence] + 3] ^= 0x10
    file.write_bytes(data)
    (log,) = bag.glob("*-wal")
    found, damage = read(bag)
    index_is_in_log = log.read_bytes().find(time) >= 0
    assert damage or (found == [message(i) for i in range(40)] and index_is_in_log)


def test_a_log_with_a_damaged_header_is_reported_as_missing(tmp_path: Path) -> None:
    bag = killed_recording(tmp_path, 40)
    (wal,) = bag.glob("*-wal")
    wal.write_bytes(b"xxxx" + wal.read_bytes()[4:])
    found, damage = read(bag)
    assert found == [message(0)]
    assert "its header is damaged" in damage[0]


def test_a_killed_transaction_of_a_rollback_journal_is_reported(tmp_path: Path) -> None:
    stamp, _ = message(0)
    bag = write_humble_bag(tmp_path / "bag", [("/cam/image_raw", stamp, raw(stamp))])
    (file,) = bag.glob("*.db3")
    file.with_name(file.name + "-journal").write_bytes(
        b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504)
    )
    found, damage = read(bag)
    assert found == [message(0)]
    assert "killed within a transaction" in damage[0]


def test_an_empty_log_is_not_a_fault(tmp_path: Path) -> None:
    stamp, _ = message(0)
    bag = write_humble_bag(tmp_path / "bag", [("/cam/image_raw", stamp, raw(stamp))])
    (file,) = bag.glob("*.db3")
    file.with_name(file.name + "-wal").write_bytes(b"")
    assert read(bag) == ([message(0)], [])


def test_a_log_that_cannot_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = killed_recording(tmp_path, 10)
    opened = Path.open

    def refuse(path: Path, *args: str, **options: str) -> object:
        if path.name.endswith("-wal"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    found, damage = read(bag)
    assert found == [message(0)]
    assert "db3-wal are missing: it cannot be read: Permission denied" in damage[0]


def test_an_empty_file_beside_a_log_prints_no_traceback(tmp_path: Path) -> None:
    bag = killed_recording(tmp_path, 40)
    (file,) = bag.glob("*.db3")
    file.write_bytes(b"")
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        read(bag)


@pytest.mark.parametrize("name", ["a#b", "50%25", "what?", os.fsdecode(b"caf\xe9")])
def test_a_name_that_is_not_a_uri_is_read_by_the_index(tmp_path: Path, name: str) -> None:
    stamp, _ = message(0)
    bag = write_humble_bag(tmp_path / "bag", [("/cam/image_raw", stamp, raw(stamp))])
    bag = bag.rename(tmp_path / name)
    assert read(bag) == ([message(0)], [])
