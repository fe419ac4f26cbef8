"""Accuracy by what a picture itself says of its face: light, sharpness, size, pose, clear or not.

No set that is read here says who the people in it are: differences between groups of people are
not to be had from these figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop, extract
from edan_ros.evaluation.distortions import yaw_of
from edan_ros.evaluation.emotions import Result
from edan_ros.evaluation.metrics import wilson_interval
from edan_ros.evaluation.tables import markdown, percent

#: Side of the crop in which light and sharpness are measured, pixels.
_SIDE = 48


@dataclass(frozen=True)
class Property:
    """title: what is measured, and in what. edges: between its groups, from low to high."""

    title: str
    edges: tuple[float, ...]

    def names(self) -> Iterator[str]:
        """Of the groups."""
        yield f"{self.title}: below {self.edges[0]:g}"
        for low, high in zip(self.edges, self.edges[1:], strict=False):
            yield f"{self.title}: {low:g} to {high:g}"
        yield f"{self.title}: {self.edges[-1]:g} or more"


#: In the order of the columns of :func:`_measured`.
PROPERTIES = (
    Property("raters who agree, of 10", (6, 8, 10)),
    Property("mean grey level of the face", (60, 100, 140, 180)),
    Property("contrast (deviation of grey)", (25, 40, 55)),
    Property("sharpness (grey step a pixel)", (12, 18, 26)),
    Property("face, pixels", (24, 32, 48, 96)),
    Property("turned head, asymmetry", (0.15, 0.35, 0.6)),
)


@dataclass(frozen=True)
class Group:
    """Some pictures of a set. n, right: how many, and how many of them were recognised."""

    name: str
    n: int
    right: int


def groups(result: Result) -> Iterator[Group]:
    """The pictures of a set by each of PROPERTIES; one that is nowhere known is left out.

    The face is where the set says, else where the model saw it; pictures of a face that is nowhere
    take no part in what is measured of the face.
    """
    values = np.array([_measured(result, i) for i in range(result.n)]).reshape(result.n, -1)
    right = (result.said == result.truth) & (result.truth >= 0)
    for column, what in zip(values.T, PROPERTIES, strict=True):
        known = np.isfinite(column) & (result.truth >= 0)
        number = np.digitize(column, what.edges)
        for place, name in enumerate(what.names()):
            mine = known & (number == place)
            if mine.any():
                yield Group(name, int(mine.sum()), int(right[mine].sum()))


def _measured(result: Result, i: int) -> list[float]:
    """The value of each of PROPERTIES, NaN where it is not known."""
    record, answer = result.faces.samples[i], result.answers[i]
    agreement = np.nan if record.agreement is None else 10.0 * record.agreement
    landmarks = record.landmarks if answer is None else answer.landmarks
    if landmarks is None or not np.isfinite(landmarks).all():
        return [agreement, *[np.nan] * (len(PROPERTIES) - 1)]
    crop = extract(record.image(), [Crop.from_landmarks(landmarks)], _SIDE)[0, 0]
    # Between the outline's ends and from brows to chin: the crop's middle.
    face = cv2.GaussianBlur(crop, (3, 3), 0)[_SIDE // 8 : -_SIDE // 8, _SIDE // 8 : -_SIDE // 8]
    step = np.abs(np.diff(face, axis=1)).mean() + np.abs(np.diff(face, axis=0)).mean()
    size = Box.from_landmarks(landmarks).size
    return [agreement, face.mean(), face.std(), step, size, yaw_of(landmarks)]


def table(result: Result) -> Iterator[str]:
    """A row a group: pictures, accuracy with its 95 % interval (Wilson), mean recall."""
    rows = []
    for group in groups(result):
        low, high = wilson_interval(group.right, group.n)
        interval = f"{percent(low)} to {percent(high)}"
        rows.append((group.name, str(group.n), percent(group.right / group.n), interval))
    yield f"{result.name}: by what the pictures say of their faces"
    yield from markdown(("", "n", "accuracy", "95 % (Wilson)"), rows)
