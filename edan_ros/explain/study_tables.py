"""The figures of a study as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.explain.emfacs import LANDMARK_SETS, overlap, overlap_chance
from edan_ros.explain.explanation import METHOD_TITLES
from edan_ros.explain.faithfulness import Interval, area, interval
from edan_ros.explain.mean_shape import areas
from edan_ros.explain.study import AVERAGED, CENTRE, RANDOM, FaceRecord, Study

TITLES = {
    **METHOD_TITLES,
    AVERAGED: "Grad-CAM, averaged",
    RANDOM: "random",
    CENTRE: "middle of the crop",
}


def markdown(study: Study) -> str:
    """All tables, each under a heading."""
    parts = [*_faces(study)]
    for method in study.methods:
        parts += [f"\n## Where the maps lie: {TITLES[method]}\n", *_areas(study, method)]
    parts += ["\n## Landmarks ranked first against EMFACS\n", *_emfacs(study)]
    parts += ["\n## Deletion: area under the curve, smaller is better\n"]
    parts += _faithfulness(study, "deletion")
    parts += ["\n## Insertion: area under the curve, larger is better\n"]
    parts += _faithfulness(study, "insertion")
    return "\n".join(parts) + "\n"


def areas_under(faces: Sequence[FaceRecord], curve: str, method: str) -> NDArray[np.float64]:
    """(n,) area under each face's curve, 0 to 1. curve: deletion or insertion."""
    return np.array([area(getattr(face, curve)[method]) for face in faces])


def gains(
    faces: Sequence[FaceRecord], curve: str, method: str, against: str = RANDOM
) -> NDArray[np.float64]:
    """(n,) by how much a method beats another, face by face; below 0 where it is worse."""
    gain = areas_under(faces, curve, method) - areas_under(faces, curve, against)
    return -gain if curve == "deletion" else gain


def area_shares(faces: Sequence[FaceRecord], method: str) -> dict[str, Interval]:
    """Share of the faces' maps in each of AREAS; empty maps are left out."""
    maps = [face.maps[method] for face in faces if face.maps[method].any()]
    return {
        part: interval(np.array([values[mask].sum() / values.sum() for values in maps]))
        for part, mask in areas().items()
    }


def _faces(study: Study) -> Iterator[str]:
    yield from _table_head(["emotion", "pictures looked at", "read so, and explained"])
    for k, name in enumerate(EMOTIONS):
        yield _row([name, study.looked_at[k], len(study.of(k))])
    for method in study.methods:
        empty = [not face.maps[method].any() for face in study.faces]
        if any(empty):
            yield f"\n{TITLES[method]}: {np.mean(empty):.0%} of the maps are empty."


def _areas(study: Study, method: str) -> Iterator[str]:
    yield (
        "Share of the maps, and how many times that of a flat map; in bold where the 95 % interval "
        "over faces lies wholly above it.\n"
    )
    chance = {part: float(mask.mean()) for part, mask in areas().items()}
    yield from _table_head(["emotion", *chance])
    yield _row(["flat map", *(f"{share:.0%}" for share in chance.values())])
    for name, faces in _groups(study):
        cells = []
        for part, share in area_shares(faces, method).items():
            cell = f"{share.mean:.0%} x{share.mean / chance[part]:.1f}"
            cells.append(f"**{cell}**" if share.low > chance[part] else cell)
        yield _row([name, *("-" if "nan" in cell else cell for cell in cells)])


def overlaps(
    study: Study, method: str, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Overlap with the EMFACS landmarks of an emotion: of its own faces, of all others.

    Faces whose map is empty rank nothing and are left out.
    """
    pointing = [face for face in study.faces if face.maps[method].any()]
    found = np.array([overlap(face.shares[method], LANDMARK_SETS[name]) for face in pointing])
    own = np.array([EMOTIONS[face.emotion] == name for face in pointing], bool)
    return found[own], found[~own]


def _emfacs(study: Study) -> Iterator[str]:
    yield (
        "Part of an emotion's EMFACS landmarks among as many that the map ranks first, with its "
        "95 % interval, in bold where that lies wholly above chance; in brackets the same "
        "landmarks in the maps of the other emotions' faces.\n"
    )
    yield from _table_head(["emotion", "landmarks", "chance", *_titles(study)])
    for name, wanted in LANDMARK_SETS.items():
        cells = []
        for method in study.methods:
            own, others = overlaps(study, method, name)
            found = interval(own)
            span = f"**{_span(found)}**" if found.low > overlap_chance(wanted) else _span(found)
            cells.append(f"{span} ({_mean(others)})")
        yield _row([name, len(wanted), f"{overlap_chance(wanted):.2f}", *cells])
    chance = np.mean([overlap_chance(wanted) for wanted in LANDMARK_SETS.values()])
    means = []
    for method in study.methods:
        each = [overlaps(study, method, name)[0] for name in LANDMARK_SETS]
        means.append(_mean(np.array([own.mean() for own in each if len(own)])))
    yield _row(["mean of the emotions", "", f"{chance:.2f}", *means])


def _faithfulness(study: Study, curve: str) -> Iterator[str]:
    yield "Mean, and in brackets the gain over random with its 95 % interval.\n"
    compared = [*study.methods, CENTRE]
    yield from _table_head(["emotion", "n", "random", *(TITLES[m] for m in compared)])
    for name, faces in _groups(study):
        means = [areas_under(faces, curve, method).mean() for method in (RANDOM, *compared)]
        cells = [
            f"{mean:.2f} ({_gain(faces, curve, method, RANDOM)})"
            for mean, method in zip(means[1:], compared, strict=True)
        ]
        yield _row([name, len(faces), f"{means[0]:.2f}", *cells])
    yield f"\nGain over a spot on the {TITLES[CENTRE]}, which knows nothing of the face:\n"
    yield from _table_head(["emotion", *_titles(study)])
    for name, faces in _groups(study):
        yield _row([name, *(_gain(faces, curve, method, CENTRE) for method in study.methods)])


def _groups(study: Study) -> Iterator[tuple[str, list[FaceRecord]]]:
    """The faces of each emotion that has any, and all of them."""
    groups = {name: study.of(k) for k, name in enumerate(EMOTIONS)}
    yield from ((name, faces) for name, faces in groups.items() if faces)
    yield "all faces", study.faces


def _gain(faces: Sequence[FaceRecord], curve: str, method: str, against: str) -> str:
    found = interval(gains(faces, curve, method, against))
    known = not np.isnan(found.low)
    return f"{found.mean:+.2f}" + (f", {found.low:+.2f} to {found.high:+.2f}" if known else "")


def _titles(study: Study) -> list[str]:
    return [TITLES[method] for method in study.methods]


def _span(found: Interval) -> str:
    """Mean and interval, as far as there are enough faces for them."""
    if np.isnan(found.mean):
        return "-"
    known = not np.isnan(found.low)
    return f"{found.mean:.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if known else "")


def _mean(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f}" if len(values) else "-"


def _table_head(names: Sequence[str]) -> Iterator[str]:
    yield _row(names)
    yield _row(["---"] * len(names))


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
