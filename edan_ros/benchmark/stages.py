"""The speed of the pipeline and of its stages, in one process without ROS."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edan_ros.benchmark.synthetic_images import RESOLUTIONS, moving_faces
from edan_ros.core.images import decode_raw
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine
from edan_ros.engines.eye_model import EyeModel
from edan_ros.pipeline.pipeline import Pipeline

FACES = (1, 2, 4, 8)
#: Number of images in the loop, and the frame rate in their stamps.
IMAGES, RATE = 24, 30.0


@dataclass(frozen=True)
class PipelineRow:
    """One resolution and number of faces.

    Attributes:
        resolution: resolution of the images.
        faces: number of faces in each image.
        fps: images per second, processed sequentially.
        ms: stage -> mean milliseconds per image: decode, detect (spread over the images between
            two detections), crop, infer, track, smooth, eyes.
        faces_found: mean number of faces reported.
    """

    resolution: str
    faces: int
    fps: float
    ms: dict[str, float]
    faces_found: float


def measure_pipeline(
    model: str,
    threads: int,
    seconds: float,
    resolutions: Sequence[str] = tuple(RESOLUTIONS),
    faces: Sequence[int] = FACES,
) -> list[PipelineRow]:
    """Measure every resolution with every number of faces for ``seconds`` each."""
    engine = create_engine("onnxruntime", model, threads=threads)
    detector = create_detector("auto", threads=threads)
    return [
        _measure(Pipeline(detector, engine, eye_engine=EyeModel()), resolution, count, seconds)
        for resolution in resolutions
        for count in faces
    ]


def _measure(pipeline: Pipeline, resolution: str, faces: int, seconds: float) -> PipelineRow:
    width, height = RESOLUTIONS[resolution]
    messages = [image.reshape(-1) for image in moving_faces(resolution, faces, IMAGES)]
    spent: Counter[str] = Counter()
    found = images = 0
    start = time.perf_counter()
    for number in itertools.count(-IMAGES):
        if number == 0:  # the first round warms the caches up
            start = time.perf_counter()
        elif number > 0 and number % 10 == 0 and time.perf_counter() - start > seconds:
            break
        decoding = time.perf_counter()
        image = decode_raw(messages[number % IMAGES], width, height, 3 * width, "bgr8")
        decoded = 1e3 * (time.perf_counter() - decoding)
        result = pipeline.process(image, number / RATE)
        if number >= 0:
            spent.update({"decode": decoded, **result.timings_ms})
            found += len(result.faces)
            images += 1
    return PipelineRow(
        resolution=resolution,
        faces=faces,
        fps=round(images / (time.perf_counter() - start), 1),
        ms={name: round(total / images, 3) for name, total in spent.items()},
        faces_found=round(found / images, 2),
    )
