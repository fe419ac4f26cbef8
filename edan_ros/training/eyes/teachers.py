"""Eye sets: crops of the eyes of a data set with the labels of teacher models.

The teachers are two models of the Open Model Zoo (Apache-2.0): open-closed-eye-0001 and
gaze-estimation-adas-0002, which needs the package ``openvino``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edan_ros.core.eye_crops import EyePlaces, angles_of, extract_eyes, view_frames
from edan_ros.core.geometry import MIRROR_PERMUTATION
from edan_ros.core.head_pose import assumed_camera, estimate_pose
from edan_ros.core.images import Image
from edan_ros.datasets import DataError
from edan_ros.datasets.face_set import FaceSample

#: Height and width of the stored crops: those of the network with a margin for augmentation.
STORED_SIZE = (48, 72)
#: Sides of the teachers' squares, in distances of the eye corners, and in pixels.
_GAZE_SQUARE, _GAZE_PIXELS = 1.8, 60
_OPEN_SQUARE, _OPEN_PIXELS = 2.0, 32

FindLandmarks = Callable[[Image], "NDArray[np.floating] | None"]


class EyeTeachers:
    """Openness and gaze by the teacher models.

    Args:
        folder: holds open-closed-eye-0001.onnx and gaze-estimation-adas-0002.xml.

    Raises:
        DataError: if a file or the package openvino is missing.
    """

    def __init__(self, folder: Path) -> None:
        files = folder / "open-closed-eye-0001.onnx", folder / "gaze-estimation-adas-0002.xml"
        for file in files:
            if not file.is_file():
                raise DataError(f"there is no teacher {file}: download it from the Open Model Zoo")
        try:
            import openvino  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise DataError("the gaze teacher needs openvino: pip install openvino") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._open = ort.InferenceSession(str(files[0]), options)
        self._gaze = openvino.Core().compile_model(
            str(files[1]), "CPU", {"INFERENCE_NUM_THREADS": 1}
        )

    def open_probability(self, eyes: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the probability of an open eye for (32, 32, 3) BGR crops."""
        name = self._open.get_inputs()[0].name
        batch = (np.stack(eyes).astype(np.float32).transpose(0, 3, 1, 2) - 127.0) / 255.0
        found = [self._open.run(None, {name: eye[None]})[0].ravel()[1] for eye in batch]
        # The model's softmax overflows where it is certain that an eye is open.
        return np.nan_to_num(np.asarray(found, np.float32), nan=1.0)

    def gaze(
        self, right: NDArray[np.uint8], left: NDArray[np.uint8], head: tuple[float, float]
    ) -> tuple[float, float]:
        """Return yaw and pitch of the gaze in the view frame, in radians.

        The mean of the eyes and their mirror image: the teacher alone errs by 2.5 degrees in yaw.

        Args:
            right, left: (60, 60, 3) BGR crops of the person's eyes, upright.
            head: yaw and pitch of the head in the view frame, radians.
        """
        yaw, pitch = self._gaze_once(right, left, head)
        other = self._gaze_once(left[:, ::-1], right[:, ::-1], (-head[0], head[1]))
        return 0.5 * (yaw - other[0]), 0.5 * (pitch + other[1])

    def _gaze_once(
        self, right: NDArray[np.uint8], left: NDArray[np.uint8], head: tuple[float, float]
    ) -> tuple[float, float]:
        # The teacher names the eyes by their side of the image. Signs and sides are those of the
        # least spread on faces that look into the camera.
        found = self._gaze(
            {
                "left_eye_image": right.astype(np.float32).transpose(2, 0, 1)[None],
                "right_eye_image": left.astype(np.float32).transpose(2, 0, 1)[None],
                "head_pose_angles": np.array([[*np.degrees(head), 0.0]], np.float32),
            }
        )["gaze_vector"][0]
        x, y, z = found.tolist()
        return angles_of(np.array([-z, x, y]))


def squares(
    image: NDArray[np.uint8], places: EyePlaces, scale: float, pixels: int
) -> list[NDArray[np.uint8]]:
    """Return upright squares around both eyes, (pixels, pixels, 3), of a BGR image.

    scale: side in distances of the corners of each eye.
    """
    c, s = math.cos(places.rolls[0]), math.sin(places.rolls[0])
    found = []
    for center, width in zip(places.centers[0], places.widths[0], strict=True):
        factor = pixels / max(scale * float(width), 1e-6)
        matrix = np.zeros((2, 3))
        matrix[:, :2] = np.array([[c, s], [-s, c]]) * factor
        matrix[:, 2] = 0.5 * (pixels - 1) - matrix[:, :2] @ center
        flags = cv2.INTER_AREA if factor < 0.5 else cv2.INTER_LINEAR
        found.append(
            cv2.warpAffine(
                image, matrix, (pixels, pixels), flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
        )
    return [np.asarray(eye, np.uint8) for eye in found]


def label_eyes(
    samples: Iterable[FaceSample], teachers: EyeTeachers, find_landmarks: FindLandmarks
) -> dict[str, NDArray[Any]]:
    """Return the eyes of a data set with labels, arrays by name, n rows each.

    ``name``; ``crops`` (n, 2, 48, 72) uint8, right eye first, left eye mirrored; ``widths``
    (n, 2) pixels between the corners; ``head`` and ``gaze`` (n, 2) yaw and pitch in the view
    frame in radians; ``open`` (n, 2) probability of the teacher; ``outline`` (n, 2, 6, 2) landmarks
    36 to 41 of the right eye, in pixels of its crop, and their mirror images of the left eye.
    Faces without landmarks or head pose are left out.
    """
    rows: list[tuple[Any, ...]] = []
    for sample in samples:
        image = sample.image()
        points = sample.landmarks if sample.landmarks is not None else find_landmarks(image)
        if points is None:
            continue
        camera = assumed_camera(image.width, image.height)
        pose = estimate_pose(points, camera)
        places = EyePlaces.from_landmarks(points[None])
        if pose is None or places.widths.min() < 4.0:
            continue
        frame = view_frames(places, camera)[0]
        head = angles_of(frame @ pose.rotation[:, 0])
        bgr = image.bgr()
        right, left = squares(bgr, places, _GAZE_SQUARE, _GAZE_PIXELS)
        gaze = teachers.gaze(right, left, head)
        opened = teachers.open_probability(squares(bgr, places, _OPEN_SQUARE, _OPEN_PIXELS))
        crops = extract_eyes(image, places, STORED_SIZE)[0]
        outline = _in_crops(points, places)
        rows.append((sample.name, crops, places.widths[0], head, gaze, opened, outline))
    if not rows:
        raise DataError("no face has landmarks and a head pose")
    names = ("name", "crops", "widths", "head", "gaze", "open", "outline")
    columns = zip(*rows, strict=True)
    kinds = (np.str_, np.uint8, *[np.float32] * 5)
    return {
        name: np.asarray(column, kind)
        for name, column, kind in zip(names, columns, kinds, strict=True)
    }


def _in_crops(landmarks: NDArray[np.floating], places: EyePlaces) -> NDArray[np.float64]:
    """Return the outlines (2, 6, 2) of both eyes in pixels of their crops of STORED_SIZE."""
    eyes = np.stack([landmarks[36:42], landmarks[MIRROR_PERMUTATION[36:42]]]).astype(np.float64)
    maps = places.matrices(STORED_SIZE)[0]
    return np.asarray(eyes @ maps[..., :2].transpose(0, 2, 1) + maps[:, None, :, 2])
