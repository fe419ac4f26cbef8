"""The cache of plans: found again only when nothing has changed, and only where it is safe."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import fields, replace
from pathlib import Path

import pytest

from edan_ros.engines import EngineError
from edan_ros.engines.plan_cache import PlanCache, PlanKey, default_folder

KEY = PlanKey(
    model="edan-lite",
    onnx="0" * 64,
    library="tensorrt",
    version="10.3.0",
    capability="8.7",
    gpu="Orin",
    driver="12.6",
    precision="fp16",
    profile="image ((1, 1, 64, 64), (2, 1, 64, 64), (16, 1, 64, 64))",
    flags="strongly typed",
)
PLAN = b"a plan" * 100


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "engines")


def test_a_plan_is_found_again(cache: PlanCache) -> None:
    assert cache.load(KEY) == "none was built yet"
    path = cache.store(KEY, PLAN)
    assert cache.load(KEY) == PLAN
    assert path.name == "edan-lite-fp16-tensorrt-sm87.plan"
    assert cache.plans() == [(path, KEY)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert cache.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "field", [f.name for f in fields(PlanKey) if f.name not in {"model", "precision"}]
)
def test_any_difference_makes_it_useless_and_is_named(cache: PlanCache, field: str) -> None:
    cache.store(KEY, PLAN)
    value = {"onnx": "1" * 64, "library": "tensorrt_rtx", "capability": "8.9"}.get(field, "other")
    found = cache.load(replace(KEY, **{field: value}))
    assert isinstance(found, str)
    if field in {"library", "capability"}:
        assert found == "none was built yet"  # those have a file of their own
    else:
        assert f"{field} {getattr(KEY, field)[:12]}" in found
        assert f"(now {value[:12]}" in found


def test_the_next_plan_takes_the_place_of_one_of_no_use(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    newer = replace(KEY, version="10.16.1")
    cache.store(newer, PLAN + b"2")
    assert cache.load(newer) == PLAN + b"2"
    assert len(cache.plans()) == 1


@pytest.mark.parametrize("damage", ["short", "changed", "record", "no record", "no plan"])
def test_damage_is_noticed(cache: PlanCache, damage: str) -> None:
    path = cache.store(KEY, PLAN)
    record = path.with_suffix(".json")
    if damage == "short":
        path.write_bytes(PLAN[:-1])
    elif damage == "changed":
        path.write_bytes(PLAN[:-1] + b"x")
    elif damage == "record":
        record.write_text('{"key": 3}', encoding="utf-8")
    else:
        (record if damage == "no record" else path).unlink()
    assert isinstance(cache.load(KEY), str)


def test_a_crash_while_writing_leaves_the_old_plan(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(KEY, PLAN)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineError, match="No space left on device"):
        cache.store(KEY, b"half of a new pl")
    assert cache.load(KEY) == PLAN
    assert len(list(cache.folder.iterdir())) == 2, "no temporary file stays"


@pytest.mark.parametrize("who", ["folder", "parent", "plan", "record"])
def test_what_others_can_write_is_not_loaded(cache: PlanCache, who: str) -> None:
    path = cache.store(KEY, PLAN)
    spoiled = {
        "folder": cache.folder,
        "parent": cache.folder.parent,
        "plan": path,
        "record": path.with_suffix(".json"),
    }[who]
    mode = spoiled.stat().st_mode
    spoiled.chmod(mode | 0o020)
    with pytest.raises(EngineError, match=rf"written to by other users.*chmod go-w {spoiled}"):
        cache.load(KEY)
    spoiled.chmod(mode)
    assert cache.load(KEY) == PLAN


def test_nothing_is_stored_where_others_can_write(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(EngineError, match="executable code"):
        PlanCache(shared).store(KEY, PLAN)
    assert list(shared.iterdir()) == []
    # A folder of one's own in a shared one with the sticky bit, as in /tmp, is safe.
    shared.chmod(0o1777)
    PlanCache(shared / "mine").store(KEY, PLAN)


def test_every_folder_is_made_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    """Ubuntu's lets the group write: what is made so would be refused at once."""
    before = os.umask(0o002)
    try:
        PlanCache(tmp_path / "edan_ros" / "engines").store(KEY, PLAN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "edan_ros").stat().st_mode) == 0o700


def test_a_link_to_a_shared_folder_is_followed(tmp_path: Path) -> None:
    shared, link = tmp_path / "shared", tmp_path / "link"
    shared.mkdir()
    shared.chmod(0o777)
    link.symlink_to(shared)
    with pytest.raises(EngineError, match=f"{shared} can be written to"):
        PlanCache(link).store(KEY, PLAN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_another_user_is_refused(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    os.chown(cache.folder, 12345, -1)
    with pytest.raises(EngineError, match="belongs to another user"):
        cache.load(KEY)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EngineError, match="cannot make the folder"):
        PlanCache(tmp_path / "file" / "engines").store(KEY, PLAN)


def test_clear_takes_plans_and_leaves_what_is_not_the_caches(cache: PlanCache) -> None:
    other = replace(KEY, model="edan")
    for key in (KEY, other):
        with cache.locked(key):
            cache.store(key, PLAN)
    cache.write("tensorrt-10.3.0-sm87.timing", b"t")
    mine = cache.folder / "notes.json"
    mine.write_text(json.dumps({"mine": True}), encoding="utf-8")
    assert [path.name for path in cache.clear("edan")] == [other.file]
    assert [key for _, key in cache.plans()] == [KEY]
    assert [path.name for path in cache.clear()] == [KEY.file]
    assert list(cache.folder.iterdir()) == [mine]


def test_two_that_build_the_same_wait_for_each_other(cache: PlanCache) -> None:
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with cache.locked(KEY):
            inside.set()
            leave.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    threading.Timer(0.2, leave.set).start()
    with cache.locked(KEY):
        order.append("second")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_lock_that_cannot_be_had_is_an_engine_error(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where root owns the folder: another engine takes over."""
    cache.prepare()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(EngineError, match=r"cannot lock .*: Permission denied"), cache.locked(KEY):
        pass


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "edan_ros" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert default_folder() == tmp_path / "me" / ".cache" / "edan_ros" / "engines"
