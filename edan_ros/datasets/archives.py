"""The other sets that this project keeps as ``images.zip`` and ``labels.npz``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.datasets import labels as maps
from edan_ros.datasets.fer2013 import open_pair
from edan_ros.datasets.files import from_zip
from edan_ros.datasets.records import FaceSet, Record, choose, some

LANDMARKS68_PARTS = ("train", "held_out", "all")


def is_held_out(name: str) -> bool:
    """Whether a picture of landmarks68 belongs to the fixed tenth that is never trained on.

    Decided by the photograph (the name without its running face number), so that two faces of
    one photograph are never on both sides.
    """
    photograph = re.sub(r"_\d+\.\w+$", "", name)
    return int(hashlib.sha256(photograph.encode()).hexdigest(), 16) % 10 == 0


def read_landmarks68(path: Path, *, part: str) -> FaceSet:
    """Photographs of 300-W with human landmarks; ``held_out`` is the fixed tenth."""
    choose(part, "part", LANDMARKS68_PARTS)
    archive, values = open_pair(path)
    records = [
        Record(str(name), from_zip(archive, str(name)), landmarks=points)
        for name, points in zip(values["name"], values["landmarks"], strict=True)
        if part == "all" or is_held_out(str(name)) == (part == "held_out")
    ]
    return FaceSet(part.replace("_", " "), some(records, path, f"pictures of the part {part}"))


def photographs(folder: Path, *, held_out: bool) -> list[tuple[NDArray[np.uint8], NDArray]]:
    """landmarks68 as it is: (BGR picture, (68, 2) landmarks) of either side of the split."""
    part = read_landmarks68(folder, part="held_out" if held_out else "train")
    return [(record.image().bgr(), record.landmarks) for record in part.records]


def read_muxspace(path: Path) -> FaceSet:
    """Muxspace: one label a picture; contempt is left without."""
    archive, values = open_pair(path)
    records = [
        Record(str(name), from_zip(archive, str(name)), maps.MUXSPACE[label], landmarks=points)
        for name, label, points in zip(
            values["name"], values["emotion"], values["landmarks"], strict=True
        )
    ]
    return FaceSet("all", some(records, path, "pictures"), pseudo_landmarks=True)
