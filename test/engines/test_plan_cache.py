"""The plan cache: plans are reused only when nothing changed, and only from safe folders."""

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


def test_a_stored_plan_is_loaded(cache: PlanCache) -> None:
    assert cache.load(KEY) == "no plan was built yet"
    path = cache.store(KEY, PLAN)
    assert cache.load(KEY) == PLAN
    assert path.name == "edan-lite-fp16-tensorrt-sm87.plan"
    assert cache.plans() == [(path, KEY)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert cache.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "field", [f.name for f in fields(PlanKey) if f.name not in {"model", "precision"}]
)
def test_any_difference_in_the_key_invalidates_a_plan_and_is_named(
    cache: PlanCache, field: str
) -> None:
    cache.store(KEY, PLAN)
    value = {"onnx": "1" * 64, "library": "tensorrt_rtx", "capability": "8.9"}.get(field, "other")
    found = cache.load(replace(KEY, **{field: value}))
    assert isinstance(found, str)
    if field in {"library", "capability"}:
        assert found == "no plan was built yet"  # each has its own file
    else:
        assert f"{field} {getattr(KEY, field)[:12]}" in found
        assert f"(now {value[:12]}" in found


def test_a_new_plan_replaces_an_invalid_one(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    newer = replace(KEY, version="10.16.1")
    cache.store(newer, PLAN + b"2")
    assert cache.load(newer) == PLAN + b"2"
    assert len(cache.plans()) == 1


@pytest.mark.parametrize("damage", ["short", "changed", "record", "no record", "no plan"])
def test_a_damaged_plan_or_record_is_not_loaded(cache: PlanCache, damage: str) -> None:
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


def test_a_failed_write_keeps_the_old_plan(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(KEY, PLAN)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineError, match="No space left on device"):
        cache.store(KEY, b"half of a new pl")
    assert cache.load(KEY) == PLAN
    assert len(list(cache.folder.iterdir())) == 2, "a temporary file is left"


@pytest.mark.parametrize("who", ["folder", "parent", "plan", "record"])
def test_a_plan_that_others_can_write_is_not_loaded(cache: PlanCache, who: str) -> None:
    path = cache.store(KEY, PLAN)
    path_of = {
        "folder": cache.folder,
        "parent": cache.folder.parent,
        "plan": path,
        "record": path.with_suffix(".json"),
    }[who]
    mode = path_of.stat().st_mode
    path_of.chmod(mode | 0o020)
    with pytest.raises(EngineError, match=rf"written to by other users.*chmod go-w {path_of}"):
        cache.load(KEY)
    path_of.chmod(mode)
    assert cache.load(KEY) == PLAN


def test_a_plan_is_not_stored_in_a_folder_that_others_can_write(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(EngineError, match="executable code"):
        PlanCache(shared).store(KEY, PLAN)
    assert list(shared.iterdir()) == []
    # A private folder inside a shared one with the sticky bit, such as /tmp, is safe.
    shared.chmod(0o1777)
    PlanCache(shared / "mine").store(KEY, PLAN)


def test_created_folders_are_private_with_any_umask(tmp_path: Path) -> None:
    """Ubuntu's umask lets the group write; the cache would reject its own folder."""
    before = os.umask(0o002)
    try:
        PlanCache(tmp_path / "edan_ros" / "engines").store(KEY, PLAN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "edan_ros").stat().st_mode) == 0o700


def test_a_symbolic_link_to_a_shared_folder_is_rejected(tmp_path: Path) -> None:
    shared, link = tmp_path / "shared", tmp_path / "link"
    shared.mkdir()
    shared.chmod(0o777)
    link.symlink_to(shared)
    with pytest.raises(EngineError, match=f"{shared} can be written to"):
        PlanCache(link).store(KEY, PLAN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change the owner of a folder")
def test_a_folder_of_another_user_is_rejected(cache: PlanCache) -> None:
    cache.store(KEY, PLAN)
    os.chown(cache.folder, 12345, -1)
    with pytest.raises(EngineError, match="belongs to another user"):
        cache.load(KEY)


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EngineError, match="cannot create the folder"):
        PlanCache(tmp_path / "file" / "engines").store(KEY, PLAN)


def test_clear_deletes_plans_and_keeps_files_of_the_user(cache: PlanCache) -> None:
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


def test_concurrent_builds_of_one_plan_wait_for_each_other(cache: PlanCache) -> None:
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


def test_a_failed_lock_raises_an_engine_error(cache: PlanCache) -> None:
    """`auto` then selects another engine."""
    cache.prepare()
    (cache.folder / f".{KEY.file}.lock").mkdir()
    with pytest.raises(EngineError, match=r"cannot lock .*: Is a directory"), cache.locked(KEY):
        pass


def test_the_default_folder_follows_xdg_cache_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "edan_ros" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert default_folder() == tmp_path / "me" / ".cache" / "edan_ros" / "engines"
