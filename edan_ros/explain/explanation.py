"""Explain one face: the map of an emotion over its crop, by either method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.explain.occlusion import occlusion_map
from edan_ros.explain.ranking import normalise_map

#: "gradcam" is the attention map that the model computes for every face. It is HiResCAM, a variant
#: of Grad-CAM (networks/attention.py).
METHODS = ("gradcam", "occlusion")
#: Titles of the methods for users.
METHOD_TITLES = {"gradcam": "attention (HiResCAM)", "occlusion": "occlusion"}

#: Maps (n, 1, S, S) crops, n at most occlusion.BATCH, to (n, 7) probabilities.
Probabilities = Callable[[NDArray[np.float32]], NDArray[np.floating]]


@dataclass(frozen=True)
class Explanation:
    """The evidence for one emotion in one face.

    Attributes:
        face: the explained face.
        method: one of METHODS.
        emotion: index into EMOTIONS.
        probability: of the emotion in this image, before smoothing over time.
        crop: (S, S) grey, 0 to 255, the input of the model.
        landmarks: (68, 2) in pixels of the crop.
        values: (h, w) map over the crop, 0 to 1, with a maximum of 1, or all 0 where there is no
            evidence for the emotion.
        peak: absolute value of the maximum: for "gradcam" its contribution to the logit, for
            "occlusion" the drop of the probability when it is covered.
    """

    face: Face
    method: str
    emotion: int
    probability: float
    crop: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    values: NDArray[np.float32]
    peak: float


def explain_face(
    image: Image,
    face: Face,
    emotion: int,
    method: str,
    *,
    size: int,
    probabilities: Probabilities,
) -> Explanation:
    """Explain one face of an image.

    Args:
        image: the image in which the face was detected.
        face: a face from the pipeline, with ``crop`` and ``attention``.
        emotion: index into EMOTIONS.
        method: one of METHODS.
        size: side S of the model's crops in pixels.
        probabilities: runs the model; "occlusion" calls it about ten times.

    Raises:
        ValueError: for an unknown method, or a face without crop and attention.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method '{method}': choose {' or '.join(METHODS)}")
    if face.crop is None or face.attention is None:
        raise ValueError("the face has no crop or no attention map: explain a face of the pipeline")
    crop = extract(image, [face.crop], size)[0, 0]
    if method == "occlusion":
        values = occlusion_map(lambda crops: probabilities(crops)[:, emotion], crop)
    else:
        values = face.attention[emotion]
    return Explanation(
        face=face,
        method=method,
        emotion=emotion,
        probability=float(face.raw_probabilities[emotion]),
        crop=crop,
        landmarks=face.crop.to_crop(face.landmarks, size),
        values=normalise_map(values),
        peak=float(values.max()),
    )
