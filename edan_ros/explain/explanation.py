"""Explain one face: the map of an emotion over its crop, by either method, in numbers and words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.explain.occlusion import PATCH, occlusion_map
from edan_ros.explain.ranking import (
    LANDMARK_CHANCE,
    landmark_shares,
    normalise_map,
    region_shares,
    strongest_parts,
)

#: "gradcam" is the attention map that the model computes for every face. It is HiResCAM, a variant
#: of Grad-CAM (networks/attention.py).
METHODS = ("gradcam", "occlusion")
#: Titles of the methods for users.
METHOD_TITLES = {"gradcam": "attention (HiResCAM)", "occlusion": "occlusion"}
#: Drop of the probability below which no part of a face has decided.
MIN_DROP = 0.02

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
        drops: (h, w) drop of the probability without the patch around each location, 0 to 1: for
            "occlusion" measured with the patch covered, for "gradcam" computed with the
            contributions in it left out.
    """

    face: Face
    method: str
    emotion: int
    probability: float
    crop: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    values: NDArray[np.float32]
    peak: float
    drops: NDArray[np.float32]

    @property
    def parts(self) -> list[str]:
        """The one or two parts of the face, of ``ranking.PARTS``, that the map ranks first."""
        return strongest_parts(self.values, self.landmarks, self.crop.shape[0])

    @property
    def sentence(self) -> str:
        """The map in words, such as "The right mouth corner decided most, then the chin."."""
        name, parts = EMOTIONS[self.emotion], self.parts
        recognised = self.emotion == int(self.face.raw_probabilities.argmax())
        if parts and self.drops.max() >= MIN_DROP:
            verb = "decided most" if recognised else f"speaks most for {name}"
            return f"The {parts[0]} {verb}" + "".join(f", then the {p}" for p in parts[1:]) + "."
        if recognised:
            return f"No part decided alone: without any one of them it remains {name}."
        return f"No part of the face speaks for {name}."


def explain_face(
    image: Image,
    face: Face,
    emotion: int,
    method: str,
    *,
    size: int,
    probabilities: Probabilities,
    temperature: float = 1.0,
) -> Explanation:
    """Explain one face of an image.

    Args:
        image: the image in which the face was detected.
        face: a face from the pipeline, with ``crop`` and ``attention``.
        emotion: index into EMOTIONS.
        method: one of METHODS.
        size: side S of the model's crops in pixels.
        probabilities: runs the model; "occlusion" calls it about ten times.
        temperature: by which the logits are divided before the softmax.

    Raises:
        ValueError: for an unknown method, or a face without crop and attention.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method '{method}': choose {' or '.join(METHODS)}")
    if face.crop is None or face.attention is None:
        raise ValueError("the face has no crop or no attention map: explain a face of the pipeline")
    crop = extract(image, [face.crop], size)[0, 0]
    if method == "occlusion":
        values = drops = occlusion_map(lambda crops: probabilities(crops)[:, emotion], crop)
    else:
        values = face.attention[emotion]
        drops = _drops(values / temperature, float(face.raw_probabilities[emotion]))
    return Explanation(
        face=face,
        method=method,
        emotion=emotion,
        probability=float(face.raw_probabilities[emotion]),
        crop=crop,
        landmarks=face.crop.to_crop(face.landmarks, size),
        values=normalise_map(values),
        peak=float(values.max()),
        drops=drops,
    )


def _drops(contributions: NDArray[np.floating], probability: float) -> NDArray[np.float32]:
    """Return the drop of a probability without the contributions to its logit in a patch.

    contributions: (h, w) to the logit. The patches are those of an occlusion map.
    """
    half = 0.5 * PATCH * contributions.shape[0]  # in cells of the map
    reach = int(np.ceil(half))
    weights = np.clip(half + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0.0, 1.0)
    patches = cv2.sepFilter2D(
        np.asarray(contributions, np.float64), -1, weights, weights, borderType=cv2.BORDER_CONSTANT
    )
    left = probability * np.exp(-patches)
    return np.asarray(probability - left / (left + 1.0 - probability), np.float32)


def explanation_record(explanation: Explanation) -> dict[str, object]:
    """Return an explanation for JSON: all that the service ExplainFace returns, and its parts."""
    size = explanation.crop.shape[0]
    shares = landmark_shares(explanation.values, explanation.landmarks, size)
    order = shares.argsort()[::-1]
    regions = region_shares(explanation.values, explanation.landmarks, size)
    return {
        "track_id": explanation.face.track_id,
        "probabilities": [round(float(p), 4) for p in explanation.face.raw_probabilities],
        "emotion": EMOTIONS[explanation.emotion],
        "method": explanation.method,
        "peak": round(explanation.peak, 4),
        "largest_drop": round(float(explanation.drops.max()), 4),
        "parts": explanation.parts,
        "map": explanation.values.round(4).tolist(),
        "landmarks": order.tolist(),
        "landmark_shares": shares[order].round(4).tolist(),
        "landmark_chance": round(LANDMARK_CHANCE, 4),
        "regions": [
            {"name": r.name, "share": round(r.share, 4), "chance": round(r.chance, 4)}
            for r in regions
        ],
    }
