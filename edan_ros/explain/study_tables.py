"""The results of a study as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.wording import markdown_table
from edan_ros.explain.emfacs import LANDMARK_SETS, overlap, overlap_chance
from edan_ros.explain.explanation import METHOD_TITLES
from edan_ros.explain.faithfulness import Interval, area_under, interval
from edan_ros.explain.mean_shape import area_masks
from edan_ros.explain.study import AVERAGED, CENTRE, RANDOM, ExplainedFace, Study

TITLES = {
    **METHOD_TITLES,
    AVERAGED: "Grad-CAM, averaged",
    RANDOM: "random",
    CENTRE: "centre of the crop",
}


def markdown(study: Study) -> str:
    """Return all tables, each under a heading."""
    parts = [*_faces(study)]
    for method in study.methods:
        parts += [f"\n## Location of the maps: {TITLES[method]}\n", *_areas(study, method)]
    parts += ["\n## Top-ranked landmarks and EMFACS\n", *_emfacs(study)]
    parts += ["\n## Deletion: area under the curve, smaller is better\n"]
    parts += _faithfulness(study, "deletion")
    parts += ["\n## Insertion: area under the curve, larger is better\n"]
    parts += _faithfulness(study, "insertion")
    return "\n".join(parts) + "\n"


def areas_under(faces: Sequence[ExplainedFace], curve: str, method: str) -> NDArray[np.float64]:
    """Return the (n,) areas under the faces' curves, 0 to 1. curve: deletion or insertion."""
    return np.array([area_under(getattr(face, curve)[method]) for face in faces])


def gains(
    faces: Sequence[ExplainedFace], curve: str, method: str, against: str = RANDOM
) -> NDArray[np.float64]:
    """Return the (n,) improvement of a method over another by face; negative where it is worse."""
    gain = areas_under(faces, curve, method) - areas_under(faces, curve, against)
    return -gain if curve == "deletion" else gain


def area_shares(faces: Sequence[ExplainedFace], method: str) -> dict[str, Interval]:
    """Return the share of the faces' non-empty maps in each of AREAS."""
    maps = [face.maps[method] for face in faces if face.maps[method].any()]
    return {
        part: interval(np.array([values[mask].sum() / values.sum() for values in maps]))
        for part, mask in area_masks().items()
    }


def _faces(study: Study) -> Iterator[str]:
    header = ("emotion", "images examined", "predicted correctly and explained")
    rows = [(name, study.examined[k], len(study.of(k))) for k, name in enumerate(EMOTIONS)]
    yield from markdown_table(header, rows)
    for method in study.methods:
        empty = [not face.maps[method].any() for face in study.faces]
        if any(empty):
            yield f"\n{TITLES[method]}: {np.mean(empty):.0%} of the maps are empty."


def _areas(study: Study, method: str) -> Iterator[str]:
    yield (
        "Share of the maps, and its ratio to the share in a uniform map; bold where the 95 % "
        "interval over faces is above that share.\n"
    )
    chance = {part: float(mask.mean()) for part, mask in area_masks().items()}
    rows = [["uniform map", *(f"{share:.0%}" for share in chance.values())]]
    for name, faces in _groups(study):
        cells = []
        for part, share in area_shares(faces, method).items():
            cell = f"{share.mean:.0%} x{share.mean / chance[part]:.1f}"
            cells.append(f"**{cell}**" if share.low > chance[part] else cell)
        rows.append([name, *("-" if "nan" in cell else cell for cell in cells)])
    yield from markdown_table(("emotion", *chance), rows)


def overlaps(
    study: Study, method: str, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the overlap with an emotion's EMFACS landmarks for its own faces and for all others.

    Faces with an empty map are omitted.
    """
    ranked = [face for face in study.faces if face.maps[method].any()]
    found = np.array([overlap(face.shares[method], LANDMARK_SETS[name]) for face in ranked])
    own = np.array([EMOTIONS[face.emotion] == name for face in ranked], bool)
    return found[own], found[~own]


def _emfacs(study: Study) -> Iterator[str]:
    yield (
        "Fraction of an emotion's n EMFACS landmarks among the n that the map ranks first, with "
        "its 95 % interval, bold where that is above chance; in parentheses the fraction of the "
        "same landmarks in the maps of other emotions.\n"
    )
    rows: list[tuple[object, ...]] = []
    for name, wanted in LANDMARK_SETS.items():
        cells = []
        for method in study.methods:
            own, others = overlaps(study, method, name)
            found = interval(own)
            span = f"**{_span(found)}**" if found.low > overlap_chance(wanted) else _span(found)
            cells.append(f"{span} ({_mean(others)})")
        rows.append((name, len(wanted), f"{overlap_chance(wanted):.2f}", *cells))
    chance = np.mean([overlap_chance(wanted) for wanted in LANDMARK_SETS.values()])
    means = []
    for method in study.methods:
        each = [overlaps(study, method, name)[0] for name in LANDMARK_SETS]
        means.append(_mean(np.array([own.mean() for own in each if len(own)])))
    rows.append(("mean over emotions", "", f"{chance:.2f}", *means))
    yield from markdown_table(("emotion", "landmarks", "chance", *_titles(study)), rows)


def _faithfulness(study: Study, curve: str) -> Iterator[str]:
    yield "Mean, and in parentheses the gain over random maps with its 95 % interval.\n"
    compared = [*study.methods, CENTRE]
    rows: list[tuple[object, ...]] = []
    for name, faces in _groups(study):
        means = [areas_under(faces, curve, method).mean() for method in (RANDOM, *compared)]
        cells = [
            f"{mean:.2f} ({_gain(faces, curve, method, RANDOM)})"
            for mean, method in zip(means[1:], compared, strict=True)
        ]
        rows.append((name, len(faces), f"{means[0]:.2f}", *cells))
    yield from markdown_table(("emotion", "n", "random", *(TITLES[m] for m in compared)), rows)
    yield f"\nGain over a spot at the {TITLES[CENTRE]}, a map that is independent of the face:\n"
    against = [
        (name, *(_gain(faces, curve, method, CENTRE) for method in study.methods))
        for name, faces in _groups(study)
    ]
    yield from markdown_table(("emotion", *_titles(study)), against)


def _groups(study: Study) -> Iterator[tuple[str, list[ExplainedFace]]]:
    """Yield the faces of each emotion that has any, then all faces."""
    groups = {name: study.of(k) for k, name in enumerate(EMOTIONS)}
    yield from ((name, faces) for name, faces in groups.items() if faces)
    yield "all faces", study.faces


def _gain(faces: Sequence[ExplainedFace], curve: str, method: str, against: str) -> str:
    found = interval(gains(faces, curve, method, against))
    known = not np.isnan(found.low)
    return f"{found.mean:+.2f}" + (f", {found.low:+.2f} to {found.high:+.2f}" if known else "")


def _titles(study: Study) -> list[str]:
    return [TITLES[method] for method in study.methods]


def _span(found: Interval) -> str:
    """Format the mean and, for enough faces, its interval."""
    if np.isnan(found.mean):
        return "-"
    known = not np.isnan(found.low)
    return f"{found.mean:.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if known else "")


def _mean(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f}" if len(values) else "-"
