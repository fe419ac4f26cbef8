"""Downloads of third-party models from a local server, and every failure of them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edan_ros.cli.main import main
from edan_ros.engines import public_models
from edan_ros.engines.public_models import FetchError, PublicModel, fetch

BYTES = os.urandom(300_000)
MODEL = PublicModel(
    name="made-up",
    file="made_up.onnx",
    url="",
    sha256=hashlib.sha256(BYTES).hexdigest(),
    bytes=len(BYTES),
    licence="MIT",
    description="for the tests",
)


class Files(BaseHTTPRequestHandler):
    """/whole, /cut (half of what its header says), /other (other bytes), /slow, else 404."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        name = self.path.rsplit("/", 1)[-1]
        if name not in ("whole", "cut", "other", "slow", "endless"):
            self.send_error(404)
            return
        body = BYTES[::-1] if name == "other" else BYTES
        self.send_response(200)
        if name != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name == "slow":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            time.sleep(0.5)
            self.wfile.write(body[1000:])
        else:
            self.wfile.write(body[: len(body) // 2] if name in ("cut", "endless") else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    made.paths = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def address(server: ThreadingHTTPServer, name: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{name}"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_downloaded_once(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    model = replace(MODEL, url=address(server, "whole"))
    for _ in range(2):
        path = fetch(model, tmp_path / "new" / "folder")
    assert path.read_bytes() == BYTES
    assert files(path.parent) == ["made_up.onnx"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert server.paths == ["/whole"]


def test_a_damaged_file_is_downloaded_again(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / MODEL.file).write_bytes(BYTES[:100])
    assert fetch(MODEL, tmp_path, url=address(server, "whole")).read_bytes() == BYTES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut", "interrupted .*150000 of 300000 bytes.*--offline"),
        ("endless", f"expected sha256 {MODEL.sha256}, found [0-9a-f]{{64}}; nothing was saved"),
        ("other", f"expected sha256 {MODEL.sha256}, found [0-9a-f]{{64}}; nothing was saved"),
        ("nowhere", "answers 404 Not Found; or copy made_up.onnx to this machine"),
    ],
)
def test_an_incomplete_or_wrong_file_is_not_saved(
    server: ThreadingHTTPServer, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / MODEL.file).write_bytes(b"an older one")
    with pytest.raises(FetchError, match=message):
        fetch(MODEL, tmp_path, url=address(server, name))
    assert files(tmp_path) == ["made_up.onnx"]
    assert (tmp_path / MODEL.file).read_bytes() == b"an older one"


def test_a_silent_server_times_out(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_models, "TIMEOUT", 0.1)
    with pytest.raises(FetchError, match=r"interrupted .*try again"):
        fetch(MODEL, tmp_path, url=address(server, "slow"))
    assert files(tmp_path) == []


def test_unreachable_servers_and_invalid_addresses_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"cannot be reached .*https_proxy, or copy"):
        fetch(MODEL, tmp_path, url="http://127.0.0.1:9/x")
    with pytest.raises(FetchError, match="is not an address"):
        fetch(MODEL, tmp_path, url="file:///etc/passwd")
    assert files(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_reported_and_leaves_no_file(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the system's: the file is written to /dev/full."""
    real = public_models.tempfile.mkstemp

    def full(**places: object) -> tuple[int, str]:
        handle, name = real(**places)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(public_models.tempfile, "mkstemp", full)
    monkeypatch.setattr(public_models.os, "fchmod", lambda *_: None)
    with pytest.raises(FetchError, match=r"no space left in .*made-up needs 300000 bytes.*--to"):
        fetch(MODEL, tmp_path, url=address(server, "whole"))
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_created_is_named(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match=r"made-up cannot be fetched: .*file"):
        fetch(MODEL, tmp_path / "file", url=address(server, "whole"))


def test_two_concurrent_downloads_both_succeed(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    model = replace(MODEL, url=address(server, "slow"))
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=fetch, args=(model, tmp_path)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert files(tmp_path) == ["made_up.onnx"]
    assert (tmp_path / MODEL.file).read_bytes() == BYTES


def test_offline_copies_from_a_folder_without_network(tmp_path: Path) -> None:
    stick, folder = tmp_path / "stick", tmp_path / "models"
    stick.mkdir()
    with pytest.raises(FetchError, match=r"made_up\.onnx"):
        fetch(MODEL, folder, offline=stick)
    (stick / MODEL.file).write_bytes(BYTES[::-1])
    with pytest.raises(FetchError, match="is not the expected file"):
        fetch(MODEL, folder, offline=stick)
    (stick / MODEL.file).write_bytes(BYTES)
    assert fetch(MODEL, folder, offline=stick).read_bytes() == BYTES


def test_downloads_use_the_proxy_of_the_environment(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    assert fetch(MODEL, tmp_path, url="http://models.invalid/whole").read_bytes() == BYTES
    assert server.paths == ["http://models.invalid/whole"]


def test_every_public_model_has_address_checksum_size_and_licence() -> None:
    for name, model in public_models.public_models().items():
        assert model.name == name
        assert model.url.startswith("https://")
        assert model.url.endswith(model.file)
        assert len(bytes.fromhex(model.sha256)) == 32
        assert model.bytes > 100_000
        assert model.licence in ("MIT", "Apache-2.0")


def test_models_list_and_models_fetch(
    server: ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EDAN_ROS_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(public_models, "public_models", lambda: {MODEL.name: MODEL})
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "edan models fetch made-up" in out
    assert "edan-detector" in out
    assert main(["models", "fetch", "made-up", "--url", address(server, "other")]) == 1
    assert "expected sha256" in capsys.readouterr().err
    assert main(["models", "fetch", "made-up", "--url", address(server, "whole")]) == 0
    assert f"--detector-model {tmp_path / MODEL.file}" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "edan models fetch" not in capsys.readouterr().out
    for wrong in (["unheard-of"], ["made-up", "--url", "ftp://here/made_up.onnx"]):
        with pytest.raises(SystemExit) as error:
            main(["models", "fetch", *wrong])
        assert error.value.code == 2
