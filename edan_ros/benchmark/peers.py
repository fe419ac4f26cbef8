"""This package beside alternatives, on the images of a folder: faces found, speed, accuracy."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.benchmark.results import PeerRow
from edan_ros.core.boxes import Box
from edan_ros.core.geometry import similarity
from edan_ros.core.images import Image
from edan_ros.datasets.face_set import FaceSample
from edan_ros.datasets.folder import read_folder
from edan_ros.datasets.labels import emotion_of
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine
from edan_ros.engines.public_models import models_folder, public_models
from edan_ros.pipeline.pipeline import Pipeline

#: (H, W, 3) BGR -> the box and the emotion, an index into EMOTIONS, of each face.
Recognise = Callable[[NDArray[np.uint8]], list[tuple[Box, int]]]

#: Input of OpenCV Zoo's expression model: side, and the five points of a face in it.
_SIDE = 112
_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip
#: Its classes, in order.
_CLASSES = ("angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


class PeerMissingError(RuntimeError):
    """A system is not installed. The message names what to install."""


def measure_peers(
    folder: Path, model: str, threads: int, limit: int, log: Callable[[str], None]
) -> list[PeerRow]:
    """Measure this package and those alternatives that are installed.

    Args:
        folder: a folder of images for each emotion, such as neutral and happy.
        model: model of this package.
        threads: CPU threads of OpenCV and of the model.
        limit: most images, evenly spaced.
        log: called with what to install for an alternative that is missing.

    Raises:
        DataError: if the folder holds something else.
    """
    samples = read_folder(folder).subset(limit).samples
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        return list(_rows(samples, model, threads, log))
    finally:
        cv2.setNumThreads(before)


def _rows(
    samples: Sequence[FaceSample], model: str, threads: int, log: Callable[[str], None]
) -> Iterator[PeerRow]:
    systems: dict[str, Callable[[], Recognise]] = {
        f"edan_ros {model}": lambda: _edan(model, threads),
        "OpenCV YuNet + expression model": _opencv,
        "fer": _fer,
    }
    for name, create in systems.items():
        try:
            recognise = create()
        except PeerMissingError as error:
            log(f"{name}: {error}")
        else:
            yield measure_peer(name, recognise, samples)


def measure_peer(
    system: str,
    recognise: Recognise,
    samples: Sequence[FaceSample],
    clock: Callable[[], float] = time.perf_counter,
) -> PeerRow:
    """Measure one system; the first image is processed once before, to warm it up."""
    with_face = faces = right = 0
    seconds = 0.0
    recognise(samples[0].image().bgr())
    for sample in samples:
        pixels = sample.image().bgr()
        start = clock()
        found = recognise(pixels)
        seconds += clock() - start
        with_face += bool(found)
        faces += len(found)
        right += bool(found) and max(found, key=lambda face: face[0].area)[1] == sample.emotion
    count = len(samples)
    shares = round(with_face / count, 4), round(right / count, 4)
    return PeerRow(system, count, shares[0], faces, round(1e3 * seconds / count, 2), shares[1])


def _edan(model: str, threads: int) -> Recognise:
    detector = create_detector("auto", threads=threads)
    pipeline = Pipeline(detector, create_engine("onnxruntime", model, threads=threads))

    def recognise(pixels: NDArray[np.uint8]) -> list[tuple[Box, int]]:
        faces = pipeline.analyze(Image(pixels, "bgr")).faces
        return [(face.box, int(face.probabilities.argmax())) for face in faces]

    return recognise


def _opencv() -> Recognise:
    """Return OpenCV's detector, with this package's settings, and OpenCV Zoo's recogniser."""
    paths = [models_folder() / public_models()[name].file for name in ("yunet", "fer-opencv")]
    if not all(path.is_file() for path in paths):
        raise PeerMissingError(
            "run `edan models fetch yunet` and `edan models fetch fer-opencv` to measure it"
        )
    detector = create_detector("yunet", model_path=str(paths[0]))
    network = cv2.dnn.readNet(str(paths[1]))
    emotions = [_index(name) for name in _CLASSES]

    def recognise(pixels: NDArray[np.uint8]) -> list[tuple[Box, int]]:
        found = []
        for face in detector.detect(Image(pixels, "bgr")):
            assert face.points is not None  # YuNet gives five points
            matrix, offset = similarity(face.points, _POINTS)
            crop = cv2.warpAffine(pixels, np.column_stack([matrix.T, offset]), (_SIDE, _SIDE))
            network.setInput(cv2.dnn.blobFromImage(crop, 2 / 255, mean=(127.5,) * 3, swapRB=True))
            found.append((face.box, emotions[int(network.forward().argmax())]))
        return found

    return recognise


def _fer() -> Recognise:
    try:
        module: Any = importlib.import_module("fer")
        # Version 25 has moved the class.
        kind = getattr(module, "FER", None) or importlib.import_module("fer.fer").FER
    except ImportError as error:
        raise PeerMissingError("run `pip install fer` to measure it") from error
    recogniser = kind()

    def recognise(pixels: NDArray[np.uint8]) -> list[tuple[Box, int]]:
        faces = recogniser.detect_emotions(pixels)
        best = [max(face["emotions"], key=face["emotions"].get) for face in faces]
        boxes = [Box(*map(float, face["box"])) for face in faces]
        return list(zip(boxes, map(_index, best), strict=True))

    return recognise


def _index(name: str) -> int:
    index = emotion_of(name)
    assert index is not None  # both alternatives predict the seven emotions
    return index
