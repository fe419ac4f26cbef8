"""Download third-party models by name, with a known licence and SHA-256.

The models are listed in ``public_models.json``. urllib follows http_proxy, https_proxy and
no_proxy. A file appears under its name complete and verified or not at all, and two processes
that download it at the same time do not disturb each other.
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

from platformdirs import user_data_path

from edan_ros.engines.manifest import EngineError, sha256_of

#: Seconds without data after which a download is aborted.
TIMEOUT = 30.0
_CHUNK = 1 << 16


class FetchError(EngineError):
    """A model cannot be downloaded. The message gives the cause and the remedy."""


@dataclass(frozen=True)
class PublicModel:
    """A third-party model.

    Attributes:
        name: name for ``edan models fetch``.
        file: file name.
        url: address of the file.
        sha256: hexadecimal SHA-256 of the file.
        bytes: size of the file.
        licence: licence of the weights.
        description: origin and purpose.
    """

    name: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str
    description: str


def public_models() -> dict[str, PublicModel]:
    """Return the models that can be downloaded, by name."""
    text = resources.files(__package__).joinpath("public_models.json").read_text(encoding="utf-8")
    return {name: PublicModel(name, **entry) for name, entry in json.loads(text).items()}


def models_folder() -> Path:
    """Return the folder for downloads: $EDAN_ROS_MODELS, else edan_ros/models in the user's data.

    On Linux the latter is ``~/.local/share/edan_ros/models``, or under $XDG_DATA_HOME.
    """
    chosen = os.environ.get("EDAN_ROS_MODELS")
    return Path(chosen) if chosen else user_data_path("edan_ros") / "models"


def is_present(model: PublicModel, folder: Path) -> bool:
    """Return whether the folder holds the model's file with the right SHA-256."""
    path = folder / model.file
    return path.is_file() and sha256_of(path) == model.sha256


def fetch(model: PublicModel, folder: Path, *, offline: Path | None = None, url: str = "") -> Path:
    """Download a model into ``folder`` unless it is present, and return its path.

    Args:
        model: the model.
        folder: target folder; it is created where it is missing.
        offline: folder to copy the file from, such as a USB stick, instead of the network.
        url: alternative address of the file, such as a mirror.

    Raises:
        FetchError: if the file cannot be obtained or written, or has another SHA-256.
    """
    path = folder / model.file
    if is_present(model, folder):
        return path
    source = str(offline / model.file) if offline is not None else url or model.url
    with _translate_errors(model, folder, source):
        folder.mkdir(parents=True, exist_ok=True)
        with _temporary_file(path) as (temporary, target):
            if offline is None:
                found = _download(source, target)
            else:
                with open(source, "rb") as file:
                    found = _copy(file.read, target)
            target.flush()
            os.fsync(target.fileno())
            if found != model.sha256:
                raise FetchError(
                    f"{source} is not the expected file: expected sha256 {model.sha256}, found "
                    f"{found}; nothing was saved. Try again, or give another source with "
                    "--offline or --url"
                )
            os.replace(temporary, path)
    return path


@contextlib.contextmanager
def _temporary_file(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Open a temporary file beside ``path``; delete it afterwards unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            os.fchmod(target.fileno(), 0o644)
            yield name, target
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


@contextlib.contextmanager
def _translate_errors(model: PublicModel, folder: Path, source: str) -> Iterator[None]:
    """Turn the errors of the network and the disk into FetchError with advice."""
    advice = f"or copy {model.file} to this machine and give its folder with --offline"
    try:
        yield
    except urllib.error.HTTPError as error:
        raise FetchError(f"{source} answers {error.code} {error.reason}; {advice}") from error
    except urllib.error.URLError as error:
        raise FetchError(
            f"{source} cannot be reached ({error.reason}); behind a proxy set https_proxy, {advice}"
        ) from error
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise FetchError(
            f"the download of {source} was interrupted ({error!r}); try again, {advice}"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                f"no space left in {folder}: {model.name} needs {model.bytes} bytes; nothing was "
                "saved. Free some space, or choose another folder with --to"
            ) from error
        raise FetchError(f"{model.name} cannot be fetched: {error}; {advice}") from error


def _download(url: str, target: IO[bytes]) -> str:
    """Write the content of a URL and return its SHA-256.

    Raises ConnectionError when the content is shorter than announced.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"'{url}' is not an address: it must begin with http:// or https://")
    request = urllib.request.Request(url, headers={"User-Agent": "edan_ros"})
    opener = urllib.request.build_opener()  # urlopen would keep the proxies of its first call
    with opener.open(request, timeout=TIMEOUT) as response:
        found = _copy(response.read, target)
        length = response.headers.get("Content-Length")
    if length is not None and target.tell() != int(length):
        raise ConnectionError(f"received {target.tell()} of {length} bytes")
    return found


def _copy(read: Callable[[int], bytes], target: IO[bytes]) -> str:
    """Write everything that ``read`` returns and return its SHA-256."""
    digest = hashlib.sha256()
    while block := read(_CHUNK):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()
