"""Study the maps of a whole data set: their location by emotion, and their faithfulness.

Every face is explained for its labelled emotion. Only faces that the model predicts correctly
take part, because the map of another face explains another emotion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.inference import class_probabilities
from edan_ros.datasets import FaceSet, face_crop
from edan_ros.engines import Engine
from edan_ros.explain.explanation import METHODS
from edan_ros.explain.faithfulness import curves
from edan_ros.explain.mean_shape import align_map
from edan_ros.explain.occlusion import BATCH, occlusion_map
from edan_ros.explain.ranking import landmark_shares

#: Grad-CAM with averaged gradients, which needs the onnx library.
AVERAGED = "gradcam-averaged"
#: Baseline maps, independent of the face: random cells, and a spot at the centre of the crop.
RANDOM, CENTRE = "random", "centre"
#: Key for all emotions together.
ALL = "all"
#: Side of the baseline maps in cells, similar to that of the others.
_CELLS = 8

#: Maps an (S, S) crop to (7, h, w) maps.
Averaged = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass
class ExplainedFace:
    """The results of one face, by method.

    Attributes:
        emotion: index into EMOTIONS.
        maps: (SIDE, SIDE) in the frame of the mean shape, mean 1, all 0 where empty.
        shares: (68,) shares of the landmarks.
        deletion: (STEPS + 1,) curve of the probability.
        insertion: (STEPS + 1,) curve of the probability.
    """

    emotion: int
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    shares: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    deletion: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    insertion: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class Study:
    """The results of a data set.

    Attributes:
        faces: the faces whose labelled emotion was predicted.
        examined: (7,) number of images tried for each emotion.
        methods: the methods compared, METHODS and possibly AVERAGED.
    """

    faces: list[ExplainedFace]
    examined: list[int]
    methods: tuple[str, ...]

    def of(self, emotion: int) -> list[ExplainedFace]:
        """Return the faces of one emotion."""
        return [face for face in self.faces if face.emotion == emotion]

    def mean_maps(self, method: str) -> dict[str, NDArray[np.float64]]:
        """Return emotion -> (SIDE, SIDE) mean of its non-empty maps; a uniform map is 1.

        Emotions without such maps are omitted. ALL is the mean of the emotions' means. The result
        is empty where every map is.
        """
        found: dict[str, NDArray[np.float64]] = {}
        for k, name in enumerate(EMOTIONS):
            maps = [face.maps[method] for face in self.of(k) if face.maps[method].any()]
            if maps:
                found[name] = np.mean(maps, axis=0, dtype=np.float64)
        return {**found, ALL: np.mean(list(found.values()), axis=0)} if found else {}


def run_study(
    faces: FaceSet,
    engine: Engine,
    *,
    count: int,
    seed: int = 0,
    averaged: Averaged | None = None,
    on_face: Callable[[int, int], None] | None = None,
) -> Study:
    """Explain up to ``count`` random faces of each emotion by every method.

    Args:
        faces: the data set; images without a label are ignored.
        engine: runs the model.
        count: number of faces per emotion.
        seed: seed of the selection.
        averaged: computes the maps of AVERAGED; None omits that method.
        on_face: called with the emotion and the number of its faces that are done.

    Raises:
        DataError: if an image cannot be read.
        EngineError: if the model cannot be run.
    """
    records: list[ExplainedFace] = []
    examined = [0] * len(EMOTIONS)
    for emotion in range(len(EMOTIONS)):
        done = 0
        for face in _faces_of(emotion, faces, engine, seed, averaged):
            examined[emotion] += 1
            if face is not None:
                records.append(face)
                done += 1
                if on_face is not None:
                    on_face(emotion, done)
            if done == count:
                break
    methods = METHODS if averaged is None else (*METHODS, AVERAGED)
    return Study(records, examined, methods)


def _faces_of(
    emotion: int, faces: FaceSet, engine: Engine, seed: int, averaged: Averaged | None
) -> Iterator[ExplainedFace | None]:
    """Yield the faces of an emotion, or None for a face with another predicted emotion.

    Random choices depend only on the seed and the number of the face, so that a smaller study is
    a prefix of a larger one.
    """
    of_it = [record for record in faces.samples if record.emotion == emotion]
    order = np.random.default_rng((seed, emotion)).permutation(len(of_it))
    for number, index in enumerate(order, 1):
        image = of_it[index].image()
        place = face_crop(of_it[index], image)
        crop = extract(image, [place], engine.input_size)[0, 0]
        prediction = engine.infer(crop[None, None])
        if int(prediction.logits[0].argmax()) != emotion:
            yield None
            continue

        def probability(crops: NDArray[np.float32]) -> NDArray[np.floating]:
            parts = [engine.infer(crops[i : i + BATCH]).logits for i in range(0, len(crops), BATCH)]
            return class_probabilities(np.concatenate(parts), engine.manifest)[:, emotion]

        maps = {
            "gradcam": prediction.attention[0, emotion],
            "occlusion": occlusion_map(probability, crop),
        }
        if averaged is not None:
            maps[AVERAGED] = averaged(crop)[emotion]
        rng = np.random.default_rng((seed, emotion, number))
        yield _evaluate(emotion, crop, prediction.landmarks[0], maps, probability, rng)


def _evaluate(
    emotion: int,
    crop: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    maps: Mapping[str, NDArray[np.float32]],
    probability: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    rng: np.random.Generator,
) -> ExplainedFace:
    """Align the maps of a face and compute their shares and curves."""
    size = crop.shape[0]
    face = ExplainedFace(emotion)
    for method, values in maps.items():
        face.maps[method] = align_map(values, landmarks, size)
        face.shares[method] = landmark_shares(values, landmarks, size)
    for method, values in {**maps, **baseline_maps(rng)}.items():
        face.deletion[method], face.insertion[method] = curves(probability, crop, values, rng)
    return face


def baseline_maps(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Return the maps that are independent of the face, (_CELLS, _CELLS) each."""
    offset = np.arange(_CELLS) - 0.5 * (_CELLS - 1)
    spot = np.exp(-(offset[:, None] ** 2 + offset**2) / _CELLS)
    random = rng.random((_CELLS, _CELLS))
    return {RANDOM: random.astype(np.float32), CENTRE: spot.astype(np.float32)}
