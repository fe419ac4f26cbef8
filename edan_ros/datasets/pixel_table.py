"""Tables in CSV files, among them small images as rows: columns emotion, pixels, Usage."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.datasets.files import DataError

#: Values of the column Usage.
USAGES = ("Training", "PublicTest", "PrivateTest")
_SIDE = 48


@dataclass(frozen=True)
class PixelTable:
    """Images in the rows of a table.

    Attributes:
        pixels: n images of (48, 48).
        usage: (n,) indices into USAGES.
        labels: (n,) indices into EMOTIONS; -1 for a class that is none of the seven.
    """

    pixels: list[NDArray[np.uint8]]
    usage: NDArray[np.intp]
    labels: NDArray[np.intp]


def read_pixels(file: Path, classes: Sequence[int | None]) -> PixelTable:
    """Read the images of a CSV file.

    classes: emotion of each number; None where it is none of the seven.

    Raises DataError with the line of a damaged row.
    """
    pixels, usage, labels = [], [], []
    for number, row in enumerate(read_table(file, ("emotion", "pixels", "Usage")), start=2):
        try:
            image = np.array(row["pixels"].split(), np.uint8).reshape(_SIDE, _SIDE)
            usage.append(USAGES.index(row["Usage"].strip()))
            label = int(row["emotion"])
            if not 0 <= label < len(classes):
                raise ValueError(f"the emotion is {label}")
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{file}, line {number}: expected an emotion 0 to {len(classes) - 1}, 48x48 grey "
                f"levels and one of {', '.join(USAGES)}: {error}"
            ) from error
        emotion = classes[label]
        labels.append(-1 if emotion is None else emotion)
        pixels.append(image)
    return PixelTable(pixels, np.array(usage, np.intp), np.array(labels, np.intp))


def read_table(file: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column. Raises DataError if a column is missing."""
    csv.field_size_limit(1 << 20)  # the pixels of an image exceed the default
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, skipinitialspace=True, restval="")
            found = [name.strip() for name in rows.fieldnames or ()]
            rows.fieldnames = found
            missing = [name for name in columns if name not in found]
            if missing:
                raise DataError(f"{file} lacks the column {', '.join(missing)}; it has {found}")
            return list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {file}: {error}") from error
