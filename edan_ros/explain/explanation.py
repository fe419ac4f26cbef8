"""One face explained: the map of an emotion over its crop, by either method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.faces import Face
from edan_ros.core.images import Image
from edan_ros.explain.occlusion import occlusion_map
from edan_ros.explain.ranking import normalised

#: "gradcam" is the map that the model gives with every face. It is HiResCAM, of the family of
#: Grad-CAM: see networks/attention.py for why the original's average over places is left out.
METHODS = ("gradcam", "occlusion")
#: What people read under a map.
METHOD_TITLES = {"gradcam": "attention (HiResCAM)", "occlusion": "occlusion"}

#: (n, 1, S, S) crops, at most occlusion.BATCH of them, to (n, 7) probabilities.
Probabilities = Callable[[NDArray[np.float32]], NDArray[np.floating]]


@dataclass(frozen=True)
class Explanation:
    """What led to one emotion in one face.

    emotion: index into EMOTIONS. probability: of it in this picture alone. crop: (S, S) grey, 0 to
    255, what the model saw. landmarks: (68, 2) pixels of the crop. values: (h, w) over the crop,
    0 to 1, the strongest place 1, all 0 where nothing speaks for the emotion. peak: what the
    strongest place is worth: of "gradcam" its part in the logit, of "occlusion" the drop of the
    probability when it is covered.
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
    """Explain one face of a picture.

    Args:
        image: the picture that the face was found in.
        face: as the pipeline gives it, with ``crop`` and ``attention``.
        emotion: index into EMOTIONS.
        method: of METHODS.
        size: side S of the model's crops in pixels.
        probabilities: runs the model; "occlusion" calls it some ten times.

    Raises ValueError for another method, and for a face that did not come out of the pipeline.
    """
    if method not in METHODS:
        raise ValueError(f"method is '{method}', must be {' or '.join(METHODS)}")
    if face.crop is None or face.attention is None:
        raise ValueError("the face carries no crop and no attention map")
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
        values=normalised(values),
        peak=float(values.max()),
    )
