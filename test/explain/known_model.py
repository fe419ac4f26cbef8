"""A model with known evidence: 'happy' depends on the contrast of the mouth only, else 'sad'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import FaceSample, FaceSet
from edan_ros.engines import Manifest, Prediction
from edan_ros.explain.mean_shape import mean_landmarks

SIZE = 64
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")
LANDMARKS = mean_landmarks(SIZE).astype(np.float32)
#: Rows and columns of the pixels that the model depends on: four cells of its 8 x 8 map.
MOUTH = np.s_[40:48, 24:40]


class KnownEngine:
    """The known model. Its attention map is the mouth."""

    name, device, precision, selection_reason = "known", "cpu", "fp32", "a test"
    input_size = SIZE

    def __init__(self) -> None:
        self.manifest = Manifest(Path("known.onnx"), "known", "1.0", "0" * 64, SIZE)

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        assert crops.shape[1:] == (1, SIZE, SIZE)
        contrast = crops[:, 0][(slice(None), *MOUTH)].std(axis=(1, 2))
        logits = np.zeros((len(crops), len(EMOTIONS)), np.float32)
        logits[:, HAPPY] = 0.08 * contrast
        logits[:, SAD] = 6.0
        attention = np.zeros((len(crops), len(EMOTIONS), 8, 8), np.float32)
        attention[:, HAPPY, 5, 3:5] = contrast[:, None]
        presence = np.full(len(crops), 0.99, np.float32)
        return Prediction(np.tile(LANDMARKS, (len(crops), 1, 1)), logits, presence, attention)


def make_image(seed: int, smiling: bool) -> NDArray[np.uint8]:
    """Return (SIZE, SIZE) grey noise whose mouth has contrast if ``smiling``, else none."""
    pixels = np.random.default_rng(seed).integers(60, 200, (SIZE, SIZE)).astype(np.uint8)
    mouth = pixels[MOUTH]
    mouth[:] = 128
    if smiling:
        mouth[::2] = 255
        mouth[1::2] = 0
    return pixels


def faces(happy: int, sad: int, mislabelled: int = 0) -> FaceSet:
    """Images that are their own crop; the mislabelled ones show 'sad' with the label 'happy'."""
    labels = [HAPPY] * happy + [SAD] * sad + [HAPPY] * mislabelled
    smiles = [True] * happy + [False] * (sad + mislabelled)
    records = [
        FaceSample(str(i), lambda i=i, s=smile: make_image(i, s), label, landmarks=LANDMARKS)
        for i, (label, smile) in enumerate(zip(labels, smiles, strict=True))
    ]
    return FaceSet("synthetic", [*records, FaceSample("x", lambda: make_image(0, True), None)])
