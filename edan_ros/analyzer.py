"""The Python interface: find faces in images, track them in videos, draw and tabulate them."""

from __future__ import annotations

import glob
import itertools
import logging
import math
import os
import sys
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES
from edan_ros.core.faces import CameraModel, Face, FrameResult
from edan_ros.core.images import Image, ImageError, decode_file
from edan_ros.core.message_fields import decode_image, fill_image, is_image
from edan_ros.core.settings import fields_of, from_values
from edan_ros.detection.factory import DetectionConfig, create_detector
from edan_ros.drawing.faces import annotate
from edan_ros.engines import Manifest, create_engine, load_manifest, select_model
from edan_ros.engines.eye_model import EyeModel
from edan_ros.engines.manifest import shipped_models
from edan_ros.offline.two_pass import TwoPassSmoother, second_pass
from edan_ros.pipeline.config import MOST_FACES, PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.sources import Frame, SourceError, create_source
from edan_ros.sources.image_files import ImageFileSource
from edan_ros.sources.webcam import webcam_index

if TYPE_CHECKING:
    import pandas
    import PIL.Image

__all__ = ["Drawing", "FaceAnalyzer", "TrackedFrame", "draw_faces", "list_models", "to_frame"]

#: What ``analyze`` and ``draw_faces`` accept; also messages with the fields of a sensor_msgs/Image
#: or CompressedImage.
AnyImage: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | PIL.Image.Image | Image"

#: Images per second assumed of an iterable without stamps.
DEFAULT_FPS = 30.0

_SINGLE_IMAGE = (
    "a single image cannot be tracked: analyze a single image with FaceAnalyzer.analyze, or track "
    "a list of images"
)
#: Names of the parts of the lists in ``Face.to_dict``.
_PARTS: dict[str, Sequence[str]] = {
    "box": ("x", "y", "width", "height"),
    "roi": ("x", "y", "width", "height"),
    "probabilities": EMOTIONS,
    "raw_probabilities": EMOTIONS,
    "polarity_probabilities": POLARITIES,
    "head_pose.position": ("x", "y", "z"),
}

_log = logging.getLogger("edan_ros")


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """One image of a tracked source with its faces.

    Attributes:
        stamp: seconds since the first image of the source; of an iterable with stamps, its stamp.
        image: (height, width, 3) uint8, BGR.
        faces: the faces, by ascending ``track_id``.
        stamp_ns: acquisition time in nanoseconds since 1970, None where the source has none.
        name: file name of the image, "" where the images are not files.
    """

    stamp: float
    image: NDArray[np.uint8] = field(repr=False)
    faces: list[Face]
    stamp_ns: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An annotated image. Notebooks display it.

    Attributes:
        pixels: (height, width, 3) uint8, BGR.
    """

    pixels: NDArray[np.uint8]

    def __repr__(self) -> str:
        """Return one line with the size instead of the pixels."""
        height, width = self.pixels.shape[:2]
        return f"Drawing({width}x{height} pixels)"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image in the format of the file name's extension and return its path.

        Raises ValueError for an extension that OpenCV does not write, OSError where the file
        cannot be written.

        Examples:
            >>> draw_faces("photo.jpg", faces).save("annotated.jpg")
        """
        target = Path(path)
        target.write_bytes(self._encode(target.suffix))
        return target

    def fill(self, message: Any) -> Any:
        """Write the pixels into a sensor_msgs/Image, as bgr8, and return the message.

        Examples:
            >>> publisher.publish(draw_faces(message, faces).fill(Image(header=message.header)))
        """
        fill_image(message, self.pixels)
        return message

    def _repr_png_(self) -> bytes:
        return self._encode(".png")

    def _encode(self, extension: str) -> bytes:
        try:
            encoded = cv2.imencode(extension, self.pixels)[1]
        except cv2.error:
            raise ValueError(
                f"images cannot be written as {extension!r}: use .jpg, .png or .webp"
            ) from None
        return encoded.tobytes()


class FaceAnalyzer:
    """Finds faces, their landmarks and their emotions in images, and tracks them in videos.

    Loads the models once; make one analyzer and reuse it. Threads may share an analyzer: their
    calls to the models run one after the other.

    Args:
        model: name of a shipped model (see ``list_models``), path of an .onnx file with its
            manifest beside it, or "auto" for the fastest shipped model on this machine.
        detector: "auto", "edan", "yunet", "haar" or "full_frame".
        engine: "auto", "onnxruntime", "tensorrt", "tensorrt_rtx" or "torch".
        threads: CPU threads for one run of the model; 0 selects a default for this machine.
        settings: settings of detector, tracking and recognition by the names of the emotion node's
            parameters, such as ``max_faces``, ``min_face`` (pixels), ``max_yaw`` (degrees),
            ``smoothing_time`` (seconds) or ``prior_strength`` (0 to 1).

    Raises:
        ModelError: if the model is unknown, missing or damaged.
        EngineError: if the engine is unknown or cannot run here.
        DetectorError: if the detector cannot be created.
        SettingsError: a ValueError; if a setting is out of its range.
        TypeError: if a setting is unknown.

    Examples:
        >>> analyzer = FaceAnalyzer("edan-lite", max_faces=4)
        >>> for face in analyzer.analyze("photo.jpg"):
        ...     print(face.label, face.confidence, face.box)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "auto",
        detector: str = "auto",
        engine: str = "auto",
        *,
        threads: int = 0,
        **settings: Any,
    ) -> None:
        known = {
            item.name for kind in (DetectionConfig, PipelineConfig) for item in fields_of(kind)
        }
        if unknown := sorted(settings.keys() - known):
            raise TypeError(
                f"FaceAnalyzer has no setting {', '.join(unknown)}: choose from "
                f"{', '.join(sorted(known))}"
            )
        config = from_values(PipelineConfig, settings)
        options = asdict(from_values(DetectionConfig, settings | {"detector": detector}))
        name = select_model(os.fspath(model), engine=engine).name
        runner = create_engine(engine, name, threads=threads)
        finder = create_detector(**options, engine=engine)
        self._description = (
            f"FaceAnalyzer(model={name!r}, detector={finder.name!r}, engine={runner.name!r} on "
            f"{runner.device}, {runner.precision})"
        )
        #: The manifest of the loaded model.
        self.model: Manifest = runner.manifest
        self._config = config
        # The budget of a sequence is no reason to leave out people in a photograph.
        self._max_faces = settings.get("max_faces", MOST_FACES)
        self._pipeline: Pipeline | None = Pipeline(
            finder, runner, config, eye_engine=EyeModel() if config.eyes else None
        )
        self._lock = threading.Lock()
        self._keys = (f"track {number}" for number in itertools.count(1))

    def __repr__(self) -> str:
        return self._description

    def __enter__(self) -> FaceAnalyzer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the models. The analyzer cannot be used afterwards; closing twice is allowed."""
        with self._lock:
            self._pipeline = None

    def analyze(self, image: AnyImage, *, camera: CameraModel | None = None) -> list[Face]:
        """Find the faces in one image, independently of all others; their ``track_id`` is 0.

        Args:
            image: path of an image file, its content as bytes, a uint8 array of (height, width, 3)
                BGR or (height, width) grey values, a PIL image, or a sensor_msgs/Image or
                CompressedImage. Files are turned upright by their EXIF orientation; all others
                are taken as they are. Encodings of messages that the package does not know go
                through cv_bridge where it is installed.
            camera: intrinsics of the camera; None assumes a common lens for the head pose.

        Returns:
            The faces, in pixels of the image, x to the right and y down. Empty without a face.

        Raises:
            FileNotFoundError: if there is no such file.
            ImageError: a ValueError; if the file is not an image, or an array has another type
                or shape.
            TypeError: for anything else than an image.

        Examples:
            >>> face = analyzer.analyze("photo.jpg")[0]
            >>> face.label, face.probabilities.shape, face.landmarks.shape
            ('happy', (7,), (68, 2))
        """
        loaded = _load(image)
        with self._lock:
            return self._opened().analyze(loaded, camera, max_faces=self._max_faces).faces

    def track(
        self,
        source: str | os.PathLike[str] | int | Iterable[Any],
        *,
        fps: float | None = None,
        topic: str = "",
        camera: CameraModel | None = None,
        two_pass: bool = False,
    ) -> Generator[TrackedFrame, None, None]:
        """Track the faces through a sequence of images of one camera.

        A person keeps the ``track_id`` while in view; labels are smoothed over time. Every call
        starts new tracks, and no two tracks of an analyzer have the same id.

        Args:
            source: path of a video, a bag (rosbag2 or ROS 1) or a folder or glob of images; the
                index of a webcam; or an iterable whose items are images as for ``analyze``, or
                pairs (stamp, image) with the stamp in seconds.
            fps: images per second of an iterable without stamps (30 by default), or of a folder or
                glob (2 by default).
            topic: topic of the images in a bag; "" for the one with most images.
            camera: intrinsics; None takes those that a bag has recorded, and a common lens
                elsewhere.
            two_pass: read a recording twice: emotions are then smoothed in both directions of
                time, without delay, and relative to the resting face of each person from the
                first image on, as by ``edan annotate``. Not for webcams and iterables.

        Yields:
            One ``TrackedFrame`` per image. Damaged images are skipped with a log message.

        Raises:
            FileNotFoundError: if there is no such file.
            SourceError: if the source cannot be opened or read.
            ImageError, TypeError: as for ``analyze``, for an item of an iterable; for a single
                image.

        Examples:
            >>> for frame in analyzer.track("clip.mp4"):
            ...     print(frame.stamp, [(face.track_id, face.label) for face in frame.faces])
        """
        if fps is not None and not fps > 0.0:
            raise ValueError(f"fps is {fps}: it must be above 0")
        if isinstance(source, (int, str, os.PathLike)):
            name = str(source) if isinstance(source, int) else os.fspath(source)
            frames = _open_source(name, topic, fps)
        else:
            name, frames = "", _number_images(source, fps or DEFAULT_FPS)
        self._opened()
        results = self._process(frames, camera)
        if not two_pass:
            return _tracked(results)
        if not name or webcam_index(name) is not None:
            raise ValueError(
                "two_pass needs a recording that can be read twice: give the path of a video, a "
                "bag or a folder"
            )
        return _tracked(self._process_twice(results, _open_source(name, topic, fps)))

    def _process(
        self, frames: Generator[Frame, None, None], camera: CameraModel | None
    ) -> Generator[tuple[Frame, FrameResult], None, None]:
        key = next(self._keys)
        try:
            with closing(frames):
                for frame in frames:
                    with self._lock:
                        pipeline = self._opened()
                        result = pipeline.process(
                            frame.image, frame.time, camera or frame.camera, key
                        )
                    yield frame, result
        finally:
            with self._lock:
                if self._pipeline is not None:
                    self._pipeline.reset(key)

    def _process_twice(
        self,
        results: Generator[tuple[Frame, FrameResult], None, None],
        again: Generator[Frame, None, None],
    ) -> Generator[tuple[Frame, FrameResult], None, None]:
        smoother = TwoPassSmoother(self._config, self.model)
        with closing(results):
            for frame, result in results:
                smoother.add(frame.time, result)
        yield from second_pass(again, smoother.finish())

    def _opened(self) -> Pipeline:
        if self._pipeline is None:
            raise RuntimeError("this FaceAnalyzer is closed: create another one")
        return self._pipeline


def _tracked(
    results: Generator[tuple[Frame, FrameResult], None, None],
) -> Generator[TrackedFrame, None, None]:
    with closing(results):
        for frame, result in results:
            yield TrackedFrame(
                frame.time, frame.image.bgr(), result.faces, frame.stamp_ns, frame.name
            )


def draw_faces(
    image: AnyImage,
    faces: Iterable[Face],
    *,
    landmarks: bool = True,
    panels: bool = True,
    attention: bool = False,
    eyes: bool = True,
) -> Drawing:
    """Draw boxes, labels, landmarks and gaze of faces into a copy of an image.

    Args:
        image: as for ``FaceAnalyzer.analyze``.
        faces: the faces found in this image.
        landmarks: draw the 68 landmarks, on faces of 48 pixels or more.
        panels: draw the seven probabilities: in a panel beside the face, or in a bar for three
            or more faces and for small ones.
        attention: overlay the attention map of the most probable emotion.
        eyes: draw where the eyes look and how far they are open, where that is measured, on faces
            of 96 pixels or more.

    Raises:
        FileNotFoundError, ImageError, TypeError: as for ``FaceAnalyzer.analyze``.

    Examples:
        >>> draw_faces("photo.jpg", analyzer.analyze("photo.jpg")).save("annotated.jpg")
    """
    loaded = _load(image)
    drawn = annotate(
        loaded, list(faces), landmarks=landmarks, panels=panels, attention=attention, eyes=eyes
    )
    return Drawing(drawn)


def list_models() -> list[Manifest]:
    """Return the records of the emotion models that ship with the package, sorted by name.

    Each has ``name``, ``version``, ``terms`` (licence terms of the weights), ``metrics`` (figure
    by data set and measure), ``precision``, ``parameters`` and ``gflop`` (1e9 operations per face).

    Examples:
        >>> [model.name for model in list_models()]
        ['edan', 'edan-int8', 'edan-lite', 'edan-lite-int8']
    """
    return [load_manifest(name) for name in shipped_models()]


def to_frame(results: Iterable[Face | TrackedFrame]) -> pandas.DataFrame:
    """Return a pandas table with one row per face. Needs pandas (pip install pandas).

    The columns are the keys of ``Face.to_dict``; its lists and dictionaries become columns such
    as ``box.width``, ``probabilities.happy`` and ``head_pose.yaw`` (degrees), except ``landmarks``,
    which stays a list of 68 pairs. Rows of frames begin with ``stamp`` (seconds) and ``name``.
    Unknown values are NaN.

    Args:
        results: faces of ``FaceAnalyzer.analyze``, or frames of ``FaceAnalyzer.track``.

    Examples:
        >>> table = to_frame(analyzer.track("clip.mp4"))
        >>> table.groupby("track_id")["probabilities.happy"].mean()
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    rows: list[dict[str, Any]] = []
    for result in results:
        if isinstance(result, TrackedFrame):
            frame = {"stamp": result.stamp, "name": result.name}
            rows += (frame | _flatten(face.to_dict()) for face in result.faces)
        else:
            rows.append(_flatten(result.to_dict()))
    return pandas.DataFrame(rows)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in _PARTS:
            value = dict(zip(_PARTS[name], value, strict=True))
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{name}.")
        elif name != "head_pose":  # None: its columns stay empty
            flat[name] = math.nan if value is None else value
    return flat


def _load(image: AnyImage) -> Image:
    """Return the pixels of any image that the interface accepts."""
    if isinstance(image, Image):
        return image
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode_file(bytes(image), f"the data of {len(image)} bytes")
    if isinstance(image, (str, os.PathLike)):
        return _read(Path(image))
    if _is_pil_image(image):
        if image.mode == "L":
            return Image(np.asarray(image), "mono")
        return Image(np.asarray(image.convert("RGB")), "rgb")
    if is_image(image):
        return decode_image(image)
    raise TypeError(
        f"{type(image).__name__} is not an image: give a path, the bytes of an image file, a NumPy "
        "array, a PIL image or an image message"
    )


def _is_pil_image(image: object) -> TypeGuard[PIL.Image.Image]:
    pil = sys.modules.get("PIL.Image")  # without it, nothing can be a PIL image
    return pil is not None and isinstance(image, pil.Image)


def _from_array(pixels: NDArray[Any]) -> Image:
    if pixels.dtype != np.uint8:
        raise ImageError(
            "dtype",
            f"the array has type {pixels.dtype}: convert it to uint8 with values of 0 to 255",
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ImageError(
            "shape",
            f"the array has shape {pixels.shape}: give (height, width, 3) in BGR order or "
            "(height, width) grey values",
        )
    if not pixels.size:
        raise ImageError("zero_size", f"the array has shape {pixels.shape} and holds no pixel")
    return Image(np.ascontiguousarray(pixels), "mono" if pixels.ndim == 2 else "bgr")


def _read(path: Path) -> Image:
    path = path.expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: analyze its images one by one, or track it")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no image file {path}: check the path") from None
    return decode_file(data, str(path))


def _open_source(source: str, topic: str, fps: float | None) -> Generator[Frame, None, None]:
    try:
        opened = create_source(source, topic=topic, log=_log.warning)
    except SourceError as error:
        is_path = webcam_index(source) is None and not glob.has_magic(source)
        if is_path and not Path(source).expanduser().exists():
            raise FileNotFoundError(str(error)) from None
        raise
    if fps is not None and isinstance(opened, ImageFileSource):
        opened.rate = fps
    return opened.frames()


def _number_images(images: Iterable[Any], fps: float) -> Generator[Frame, None, None]:
    """Return frames of images, or of pairs (stamp, image)."""
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise ImageError("shape", f"{_SINGLE_IMAGE} (the array has shape {images.shape})")
    if isinstance(images, (bytes, bytearray, memoryview, Image)) or _is_pil_image(images):
        raise TypeError(_SINGLE_IMAGE)
    if not isinstance(images, Iterable):
        raise TypeError(
            f"{type(images).__name__} cannot be tracked: give a path, the index of a webcam or an "
            "iterable of images"
        )
    return _frames(images, fps)


def _frames(items: Iterable[Any], fps: float) -> Generator[Frame, None, None]:
    for number, item in enumerate(items):
        stamp, image = _stamped(item) if isinstance(item, tuple) else (number / fps, item)
        yield Frame(_load(image), stamp)


def _stamped(item: tuple[Any, ...]) -> tuple[float, Any]:
    try:
        stamp, image = item
        return float(stamp), image
    except (TypeError, ValueError):
        kinds = ", ".join(type(part).__name__ for part in item)
        raise TypeError(
            f"an item of the iterable is ({kinds}): give images, or pairs (stamp in seconds, image)"
        ) from None
