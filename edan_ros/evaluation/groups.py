"""Metrics by group: of people, by the attributes in the data set, and of images.

Groups of images are formed by what is measured in them: light, sharpness, size and pose of the
face, and the agreement of the annotators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop, extract
from edan_ros.core.wording import markdown_table
from edan_ros.evaluation.classification import SetResult
from edan_ros.evaluation.distortions import asymmetry
from edan_ros.evaluation.metrics import Proportion, finite_mean
from edan_ros.evaluation.recognition import ANNOTATED, DETECTED
from edan_ros.evaluation.tables import number, percent, proportion

#: Side in pixels of the crop in which light and sharpness are measured.
_SIDE = 48
#: Attributes by which people are grouped.
ATTRIBUTES = ("sex", "ethnicity", "age")
#: Ages in years between the age groups.
AGES = (25, 35, 50)
#: Classes whose recall is reported by group of people.
RECALLED = ("neutral", "happy", "positive")


@dataclass(frozen=True)
class AttributeGroup:
    """The images of people with one attribute in common.

    Attributes:
        name: such as ``sex: female``, or ``all``.
        people: number of people; 0 where the set does not identify them.
        images: number of images.
        accuracy: images classified correctly.
        recalls: of the classes in RECALLED that the set has, by name.
        detector_recall: faces found by the detector, of the images that it searched.
        landmark_error: mean in outer eye distances; NaN without landmarks.
    """

    name: str
    people: int
    images: int
    accuracy: Proportion
    recalls: dict[str, Proportion]
    detector_recall: Proportion
    landmark_error: float


def attribute_groups(result: SetResult) -> list[AttributeGroup]:
    """Return the groups of people by each of ATTRIBUTES, after the group of all.

    Empty for a set without these attributes. A face that was not found is an error.
    """
    attributes = [sample.attributes for sample in result.faces.samples]
    groups = []
    for name in ATTRIBUTES:
        values = np.array(
            [_group_name(name, each[name]) if name in each else "" for each in attributes]
        )
        groups += [
            _attribute_group(result, f"{name}: {value}", values == value)
            for value in sorted(set(values.tolist()) - {""}, key=_group_order)
        ]
    return [_attribute_group(result, "all", np.ones(result.n, bool)), *groups] if groups else []


def _group_name(attribute: str, value: str) -> str:
    if attribute != "age" or not value.isdecimal():
        return value
    place = int(np.digitize(int(value), AGES))
    if not place:
        return f"below {AGES[0]}"
    return f"{AGES[place - 1]} to {AGES[place] - 1}" if place < len(AGES) else f"from {AGES[-1]}"


def _group_order(name: str) -> tuple[bool, bool, str]:
    return not name.startswith("below"), name.startswith("from"), name


def _attribute_group(result: SetResult, name: str, members: NDArray[np.bool_]) -> AttributeGroup:
    index = np.flatnonzero(members).tolist()
    samples = [result.faces.samples[i] for i in index]
    sources = ["" if p is None else p.crop_source for p in (result.predictions[i] for i in index)]
    searched = [source for source in sources if source != ANNOTATED]
    names = result.scheme.names
    truths = {names[c]: members & (result.truth == c) for c in np.unique(result.truth) if c >= 0}
    return AttributeGroup(
        name,
        len({sample.attributes["person"] for sample in samples if "person" in sample.attributes}),
        len(index),
        _correct(result, members & (result.truth >= 0)),
        {name: _correct(result, truths[name]) for name in RECALLED if name in truths},
        Proportion(searched.count(DETECTED), len(searched)),
        finite_mean(result.landmark_errors[members]),
    )


def _correct(result: SetResult, members: NDArray[np.bool_]) -> Proportion:
    return Proportion(int(result.correct[members].sum()), int(members.sum()))


def attributes_as_json(result: SetResult) -> list[dict[str, Any]]:
    """Return the groups of people for JSON; figures that are not defined are null."""

    def share(value: Proportion) -> dict[str, Any]:
        low, high = map(number, value.interval)
        return {"value": number(value.value), "low": low, "high": high, "n": value.n}

    return [
        {
            "group": group.name,
            "people": group.people,
            "images": group.images,
            "accuracy": share(group.accuracy),
            "recall": {name: share(value) for name, value in group.recalls.items()},
            "detector_recall": share(group.detector_recall),
            "landmark_error": number(group.landmark_error),
        }
        for group in attribute_groups(result)
    ]


def attribute_table(result: SetResult) -> Iterator[str]:
    """Yield the lines of a Markdown table of the groups of people; none without groups."""
    groups = attribute_groups(result)
    if not groups:
        return
    recalled = list(groups[0].recalls)
    columns = (*(f"{name} recall" for name in recalled), "accuracy", "detector recall")
    rows = []
    for group in groups:
        shares = [group.recalls.get(name, Proportion(0, 0)) for name in recalled]
        shares += [group.accuracy, group.detector_recall]
        cells = (group.name, str(group.people or "-"), str(group.images), *map(proportion, shares))
        rows.append((*cells, percent(group.landmark_error)))
    yield f"{result.name}: groups of people; shares with their 95 % intervals (Wilson)"
    yield from markdown_table(("", "people", "images", *columns, "landmark error"), rows)


@dataclass(frozen=True)
class ImageProperty:
    """A property by which images are grouped.

    Attributes:
        title: name and unit.
        edges: ascending values between the groups.
    """

    title: str
    edges: tuple[float, ...]

    def names(self) -> Iterator[str]:
        """Yield the names of the groups, from low to high."""
        yield f"{self.title}: below {self.edges[0]:g}"
        for low, high in zip(self.edges, self.edges[1:], strict=False):
            yield f"{self.title}: {low:g} to {high:g}"
        yield f"{self.title}: {self.edges[-1]:g} or more"


#: In the order of the columns of :func:`_measured`.
PROPERTIES = (
    ImageProperty("raters who agree, of 10", (6, 8, 10)),
    ImageProperty("mean grey level of the face", (60, 100, 140, 180)),
    ImageProperty("contrast (deviation of grey)", (25, 40, 55)),
    ImageProperty("sharpness (grey step a pixel)", (12, 18, 26)),
    ImageProperty("face, pixels", (24, 32, 48, 96)),
    ImageProperty("turned head, asymmetry", (0.15, 0.35, 0.6)),
)


def image_groups(result: SetResult) -> dict[str, Proportion]:
    """Return the accuracy of the images in each group of PROPERTIES, by the group's name.

    The face is where the set annotates it, else where the model found it. Images without a value
    take no part in a property.
    """
    values = np.array([_measured(result, i) for i in range(result.n)]).reshape(result.n, -1)
    groups = {}
    for column, each in zip(values.T, PROPERTIES, strict=True):
        known = np.isfinite(column) & (result.truth >= 0)
        places = np.digitize(column, each.edges)
        for place, name in enumerate(each.names()):
            members = known & (places == place)
            if members.any():
                groups[name] = _correct(result, members)
    return groups


def _measured(result: SetResult, i: int) -> list[float]:
    """Return the value of each of PROPERTIES; NaN where it is not known."""
    sample, prediction = result.faces.samples[i], result.predictions[i]
    agreement = np.nan if sample.agreement is None else 10.0 * sample.agreement
    landmarks = sample.landmarks if prediction is None else prediction.landmarks
    if landmarks is None or not np.isfinite(landmarks).all():
        return [agreement, *[np.nan] * (len(PROPERTIES) - 1)]
    crop = extract(sample.image(), [Crop.from_landmarks(landmarks)], _SIDE)[0, 0]
    # Between the ends of the outline and from the brows to the chin: the middle of the crop.
    face = cv2.GaussianBlur(crop, (3, 3), 0)[_SIDE // 8 : -_SIDE // 8, _SIDE // 8 : -_SIDE // 8]
    step = np.abs(np.diff(face, axis=1)).mean() + np.abs(np.diff(face, axis=0)).mean()
    size = Box.from_landmarks(landmarks).size
    return [agreement, face.mean(), face.std(), step, size, asymmetry(landmarks)]


def image_table(result: SetResult) -> Iterator[str]:
    """Yield the lines of a Markdown table of accuracy by group of images."""
    rows = [(name, str(share.n), proportion(share)) for name, share in image_groups(result).items()]
    yield f"{result.name}: groups of images; accuracy with its 95 % interval (Wilson)"
    yield from markdown_table(("", "n", "accuracy"), rows)
