"""The certificate of an anonymised bag: what was hidden, and what a second search found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edan_ros.core.wording import plural
from edan_ros.recording.files import writing

CERTIFICATE_FILE = "certificate.json"
_BLOCK = 1 << 20


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a bag, by name; the certificate itself is left out."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: _sha256(path) for path in files if path.name != CERTIFICATE_FILE}


def write_certificate(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the certificate into the folder of a bag. Raises RecordingError."""
    path = folder / CERTIFICATE_FILE
    with writing(path):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_certificate(folder: Path) -> dict[str, Any] | None:
    """Return the certificate in a folder; None where there is none that can be read."""
    try:
        content = json.loads((folder / CERTIFICATE_FILE).read_text(encoding="utf-8"))
        describe_certificate(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(content)


def describe_certificate(content: Mapping[str, Any]) -> str:
    """Return the sentence of a certificate for terminal and report."""
    topics = content["topics"].values()
    hidden = sum(int(topic["images_with_hidden_heads"]) for topic in topics)
    images = sum(int(topic["images"]) for topic in topics)
    detectors = ", ".join(content["detectors"])
    left = len(content["found_after"])
    result = f"{plural(left, 'face')} found again" if left else "no face found again"
    others = [f"{name} ({kind})" for name, kind in content["not_examined"].items()]
    text = (
        f"Anonymised ({content['mode']}): heads hidden in {hidden} of {plural(images, 'image')}, "
        f"{result} by {detectors}."
    )
    return text + (f" Not examined: {', '.join(others)}." if others else "")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
