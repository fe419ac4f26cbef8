"""Models of others that can be fetched by name: where from, under which licence, which bytes.

They are listed in ``public_models.json``. Nothing is fetched unless somebody asks. The standard
library does it, since a robot then needs nothing more: urllib follows http_proxy, https_proxy and
no_proxy. A file appears under its name whole and with the right SHA-256, or not at all; two
processes that fetch it at once do not disturb each other.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from typing import IO

from edan_ros.engines.manifest import EngineError, sha256_of

#: Seconds without a byte after which a download is given up.
TIMEOUT = 30.0
_CHUNK = 1 << 16


class FetchError(EngineError):
    """A model cannot be fetched. The message says why and what to do."""


@dataclass(frozen=True)
class PublicModel:
    """A model of others. file: its name on disk. about: what it is and what it is for."""

    name: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str
    about: str


def public_models() -> dict[str, PublicModel]:
    """What can be fetched, by name."""
    text = resources.files(__package__).joinpath("public_models.json").read_text(encoding="utf-8")
    return {name: PublicModel(name, **entry) for name, entry in json.loads(text).items()}


def models_folder() -> Path:
    """Where fetched models are kept: $EDAN_ROS_MODELS, else edan_ros/models in the user's data."""
    chosen = os.environ.get("EDAN_ROS_MODELS")
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "edan_ros" / "models"


def is_there(model: PublicModel, folder: Path) -> bool:
    """Whether the folder holds the model's file with the right bytes."""
    path = folder / model.file
    return path.is_file() and sha256_of(path) == model.sha256


def fetch(model: PublicModel, folder: Path, *, offline: Path | None = None, url: str = "") -> Path:
    """The model's file in ``folder``, fetched unless it is there already.

    offline: a folder that holds the file, such as a stick's; the network is then left alone.
    url: another address for the file, such as a mirror's.

    Raises FetchError when the file cannot be had or written, and when its SHA-256 is another.
    """
    path = folder / model.file
    if is_there(model, folder):
        return path
    address = url or model.url
    if offline is not None:
        address = str(offline / model.file)
    with _explained(model, folder, address):
        folder.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as (temporary, target):
            if offline is None:
                found = _download(address, target)
            else:
                with open(address, "rb") as source:
                    found = _copy(source.read, target)
            target.flush()
            os.fsync(target.fileno())
            if found != model.sha256:
                raise FetchError(
                    f"{address} is not the file that is wanted: expected sha256 {model.sha256}, "
                    f"found {found}; nothing was kept. Try again, or take it from another place "
                    "with --offline or --url"
                )
            os.replace(temporary, path)
    return path


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """A file of this process alone beside ``path``; gone afterwards unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            os.fchmod(target.fileno(), 0o644)
            yield name, target
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


@contextlib.contextmanager
def _explained(model: PublicModel, folder: Path, address: str) -> Iterator[None]:
    """Turn what can go wrong into sentences for the user."""
    advice = f"or bring {model.file} yourself and give its folder with --offline"
    try:
        yield
    except urllib.error.HTTPError as error:
        raise FetchError(f"{address} answers {error.code} {error.reason}; {advice}") from error
    except urllib.error.URLError as error:
        raise FetchError(
            f"{address} cannot be reached ({error.reason}); behind a proxy set https_proxy, "
            f"{advice}"
        ) from error
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise FetchError(f"{address} was cut off ({error!r}); try again, {advice}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                f"no room in {folder}: {model.name} needs {model.bytes} bytes; nothing was kept. "
                "Make room, or choose another folder with --to"
            ) from error
        raise FetchError(f"{model.name} cannot be fetched: {error}; {advice}") from error


def _download(url: str, target: IO[bytes]) -> str:
    """Write what an address holds; its SHA-256. Raises ConnectionError when it ends too early."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"'{url}' is no address: it begins with http:// or https://")
    request = urllib.request.Request(url, headers={"User-Agent": "edan_ros"})
    opener = urllib.request.build_opener()  # with the proxies of now, not of the first download
    with opener.open(request, timeout=TIMEOUT) as answer:
        found = _copy(answer.read, target)
        length = answer.headers.get("Content-Length")
    if length is not None and target.tell() != int(length):
        raise ConnectionError(f"{target.tell()} of {length} bytes came")
    return found


def _copy(read: Callable[[int], bytes], target: IO[bytes]) -> str:
    """Write all that ``read`` gives; its SHA-256."""
    digest = hashlib.sha256()
    while block := read(_CHUNK):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()
