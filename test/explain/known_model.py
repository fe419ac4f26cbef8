"""A model whose reasons are known: it reads 'happy' from the contrast of the mouth, else 'sad'."""

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
#: Rows and columns of the pixels that the model reads: four cells of its 8 x 8 map.
MOUTH = np.s_[40:48, 24:40]


class KnownEngine:
    """See the module. Its attention map points at the mouth and nowhere else."""

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


def picture(seed: int, smiling: bool) -> NDArray[np.uint8]:
    """(SIZE, SIZE) grey noise; what the model reads of it has contrast, or has none."""
    pixels = np.random.default_rng(seed).integers(60, 200, (SIZE, SIZE)).astype(np.uint8)
    mouth = pixels[MOUTH]
    mouth[:] = 128
    if smiling:
        mouth[::2] = 255
        mouth[1::2] = 0
    return pixels


def faces(happy: int, sad: int, mislabelled: int = 0) -> FaceSet:
    """Pictures whose crop is the whole picture; the last ones show 'sad' and say 'happy'."""
    labels = [HAPPY] * happy + [SAD] * sad + [HAPPY] * mislabelled
    smiles = [True] * happy + [False] * (sad + mislabelled)
    records = [
        FaceSample(str(i), lambda i=i, s=smile: picture(i, s), label, landmarks=LANDMARKS)
        for i, (label, smile) in enumerate(zip(labels, smiles, strict=True))
    ]
    return FaceSet("made up", [*records, FaceSample("x", lambda: picture(0, True), None)])
