"""The maps of many faces at once: where they lie, emotion by emotion, and whether they are true.

Every face is explained for the emotion that its data set gives it, and only faces that the model
reads so take part: the map of a misread face explains something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.datasets import FaceSet, face_crop
from edan_ros.engines import Engine
from edan_ros.explain.explanation import METHODS
from edan_ros.explain.faithfulness import curves
from edan_ros.explain.mean_shape import aligned
from edan_ros.explain.occlusion import BATCH, occlusion_map
from edan_ros.explain.ranking import landmark_shares

#: Grad-CAM with averaged gradients, where the onnx library is there to compute it.
AVERAGED = "gradcam-averaged"
#: Maps that know nothing of the face: cells drawn by chance, and a spot on the crop's middle.
RANDOM, CENTRE = "random", "centre"
#: Stands for all emotions together.
ALL = "all"
#: Side of the maps that know nothing, in cells: about that of the others.
_CELLS = 8

#: (S, S) crop to (7, h, w) maps.
Averaged = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass
class FaceRecord:
    """One face. emotion: index into EMOTIONS. maps: method -> (SIDE, SIDE) in the frame of the
    mean shape, mean 1, all 0 where empty. shares: method -> (68,) of the landmarks. deletion,
    insertion: method -> (STEPS + 1,) curve of the probability."""

    emotion: int
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    shares: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    deletion: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    insertion: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class Study:
    """faces: those read as their set labels them. looked_at: (7,) pictures tried by emotion.
    methods: those that explain something, of METHODS, and AVERAGED."""

    faces: list[FaceRecord]
    looked_at: list[int]
    methods: tuple[str, ...]

    def of(self, emotion: int) -> list[FaceRecord]:
        """The faces of one emotion."""
        return [face for face in self.faces if face.emotion == emotion]

    def mean_maps(self, method: str) -> dict[str, NDArray[np.float64]]:
        """Emotion -> (SIDE, SIDE) mean of its maps that are not empty; a flat map is 1.

        Emotions without any are left out. ALL is the mean over the emotions, each counting the
        same. Empty where there is no map at all.
        """
        found = {}
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
    """Explain up to ``count`` faces of each emotion, drawn by chance, by every method.

    Pictures without a label are left out. on_face: told the emotion and how many faces of it are
    done. Raises DataError for a picture that cannot be read, EngineError.
    """
    records: list[FaceRecord] = []
    looked_at = [0] * len(EMOTIONS)
    for emotion in range(len(EMOTIONS)):
        done = 0
        for face in _faces_of(emotion, faces, engine, seed, averaged):
            looked_at[emotion] += 1
            if face is not None:
                records.append(face)
                done += 1
                if on_face is not None:
                    on_face(emotion, done)
            if done == count:
                break
    methods = METHODS if averaged is None else (*METHODS, AVERAGED)
    return Study(records, looked_at, methods)


def _faces_of(
    emotion: int, faces: FaceSet, engine: Engine, seed: int, averaged: Averaged | None
) -> Iterator[FaceRecord | None]:
    """The faces of an emotion, one by one; None for one that is read as something else.

    What is left to chance hangs on the seed and the face's number alone: a smaller study is the
    beginning of a larger one.
    """
    of_it = [record for record in faces.samples if record.emotion == emotion]
    order = np.random.default_rng((seed, emotion)).permutation(len(of_it))
    for number, index in enumerate(order, 1):
        image = of_it[index].image()
        place = face_crop(of_it[index], image)
        crop = extract(image, [place], engine.input_size)[0, 0]
        said = engine.infer(crop[None, None])
        if int(said.logits[0].argmax()) != emotion:
            yield None
            continue

        def probability(crops: NDArray[np.float32]) -> NDArray[np.floating]:
            parts = [engine.infer(crops[i : i + BATCH]).logits for i in range(0, len(crops), BATCH)]
            return softmax(np.concatenate(parts), engine.manifest.temperature)[:, emotion]

        maps = {
            "gradcam": said.attention[0, emotion],
            "occlusion": occlusion_map(probability, crop),
        }
        if averaged is not None:
            maps[AVERAGED] = averaged(crop)[emotion]
        rng = np.random.default_rng((seed, emotion, number))
        yield _measured(emotion, crop, said.landmarks[0], maps, probability, rng)


def _measured(
    emotion: int,
    crop: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    maps: Mapping[str, NDArray[np.float32]],
    probability: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    rng: np.random.Generator,
) -> FaceRecord:
    size = crop.shape[0]
    face = FaceRecord(emotion)
    for method, values in maps.items():
        face.maps[method] = aligned(values, landmarks, size)
        face.shares[method] = landmark_shares(values, landmarks, size)
    for method, values in {**maps, **ignorant_maps(rng)}.items():
        face.deletion[method], face.insertion[method] = curves(probability, crop, values, rng)
    return face


def ignorant_maps(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """The maps that know nothing of the face, (_CELLS, _CELLS) each."""
    away = np.arange(_CELLS) - 0.5 * (_CELLS - 1)
    spot = np.exp(-(away[:, None] ** 2 + away**2) / _CELLS)
    random = rng.random((_CELLS, _CELLS))
    return {RANDOM: random.astype(np.float32), CENTRE: spot.astype(np.float32)}
