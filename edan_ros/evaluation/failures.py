"""Where recognition ends, on photographs that are spoilt step by step: the model card's picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.detection.detectors import Detector
from edan_ros.engines import Engine
from edan_ros.evaluation import distortions as d
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_largest_faces,
)

#: What is done to each photograph, in words and in deeds.
SPOILT: tuple[tuple[str, d.Distortion], ...] = (
    ("as it is", d.unchanged()),
    ("mouth under\na mask", d.masked()),
    ("4 stops over-\nexposed", d.exposed(4)),
    ("noise of 60\ngrey levels", d.noisy(60)),
    ("blur, 8 %\nof the face", d.blurred(0.08)),
    ("face of\n14 pixels", d.reduced(14)),
    ("turned by\n90 degrees", d.turned(90)),
)
#: Side of a picture in pixels, and of what it shows in sides of the face's crop.
_SIDE, _AROUND = 112, 1.35
_COLOURS = 48


@dataclass(frozen=True)
class Sample:
    """A spoilt photograph, and what the model says of it; answer: None where it finds no face."""

    view: d.View
    answer: FacePrediction | None

    @property
    def verdict(self) -> str:
        """The emotion and its probability, or that there is no face."""
        if self.answer is None:
            return "not found"
        best = int(self.answer.probabilities.argmax())
        return f"{EMOTIONS[best]} {self.answer.probabilities[best]:.2f}"


def spoil(engine: Engine, detector: Detector, photograph: NDArray[np.uint8]) -> list[Sample]:
    """Each of SPOILT done to a grey photograph, found and read as on a camera.

    The face is where the model sees it in the whole photograph.
    """
    (seen,) = predict_largest_faces(engine, [Image(photograph, "mono")], detector)
    view = d.View(photograph, seen.landmarks)
    views = [distort(view, np.random.default_rng(0)) for _, distort in SPOILT]
    shown = [view if spoilt is None else spoilt for spoilt in views]
    images = [Image(spoilt.pixels, "mono") for spoilt in shown]
    said = StillImagePipeline(engine, detector)(images, [None] * len(images))
    return [Sample(spoilt, answer) for spoilt, answer in zip(shown, said, strict=True)]


def draw(rows: Sequence[Sequence[Sample]], title: str, path: Path) -> None:
    """A picture of them, a row a photograph. Raises OSError when it cannot be written."""
    # matplotlib comes with the extras, and Pillow with it.
    import PIL.Image
    from matplotlib.figure import Figure

    width, height = len(SPOILT), len(rows)
    figure = Figure(figsize=(1.17 * width, 1.45 * height + 0.55), layout="constrained")
    figure.suptitle(title, fontsize=9)
    grid = figure.subplots(height, width, squeeze=False)
    for number, (row, samples) in enumerate(zip(grid, rows, strict=True)):
        for axes, (name, _), sample in zip(row, SPOILT, samples, strict=True):
            axes.imshow(_thumbnail(sample), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(sample.verdict, fontsize=8)
            if not number:
                axes.set_title(name, fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=96)
    # Noise costs most of the file, and needs few colours.
    PIL.Image.open(drawn).convert("RGB").quantize(_COLOURS).save(path, optimize=True)


def _thumbnail(sample: Sample) -> NDArray[np.uint8]:
    """RGB: the surroundings of the true face, with the landmarks that were found."""
    true = Crop.from_landmarks(sample.view.landmarks)
    around = Crop(true.center, _AROUND * true.side, 0.0)
    near = cv2.INTER_NEAREST if around.side < _SIDE else cv2.INTER_AREA
    matrix, side = around.matrix(_SIDE), (_SIDE, _SIDE)
    grey = cv2.warpAffine(
        sample.view.pixels, matrix, side, flags=near, borderMode=cv2.BORDER_REPLICATE
    )
    shown = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    if sample.answer is not None:
        for x, y in around.to_crop(sample.answer.landmarks, _SIDE):
            cv2.circle(shown, (round(x * 16), round(y * 16)), 16, (40, 220, 90), -1, 16, 4)
    return np.asarray(shown, np.uint8)
