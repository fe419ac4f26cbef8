"""Services of the emotion node."""

from __future__ import annotations

import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import Image, ImageError
from edan_ros.core.message_fields import camera_model, decode_image
from edan_ros.engines.manifest import EngineError
from edan_ros.explain.explanation import METHODS, Explanation
from edan_ros.explain.ranking import LANDMARK_CHANCE, landmark_shares, region_shares
from edan_ros.nodes.common.conversions import array_message, image_message
from edan_ros.nodes.emotion.camera_input import CameraInput, DecodedImage
from edan_ros.nodes.emotion.recognition import ExplanationError, Recognition
from edan_ros.srv import AnalyzeImage, ExplainFace


def analyze(
    recognition: Recognition,
    request: AnalyzeImage.Request,
    response: AnalyzeImage.Response,
    *,
    rectified: bool,
) -> None:
    """Fill the response with the faces in the image of the request."""
    message = request.compressed_image if request.is_compressed else request.image
    try:
        image = decode_image(message, limits=recognition.limits)
        camera = _camera(request.camera_info, image, rectified)
        result = recognition.analyze(image, camera)
    except (ImageError, CameraModelError, EngineError) as error:
        response.message = str(error)
        return
    response.result = array_message(result, message.header)
    response.success = True


def _camera(info: CameraInfo, image: Image, rectified: bool) -> CameraModel | None:
    if info.width == 0:
        return None
    camera = camera_model(info, rectified=rectified)
    return camera and fit_camera(camera, image.width, image.height)


def explain(
    recognition: Recognition,
    request: ExplainFace.Request,
    response: ExplainFace.Response,
) -> None:
    """Fill the response with an attention map of the requested face and what it highlights."""
    try:
        camera = _choose_camera(recognition.cameras, request.camera)
        method = _choose_method(request.method)
        found = recognition.explain(camera, request.track_id, request.emotion, method)
    except (ExplanationError, EngineError) as error:
        response.message = str(error)
        return
    _fill(response, *found)
    response.success = True


def _choose_camera(cameras: dict[str, CameraInput], name: str) -> CameraInput:
    if not name:
        return next(iter(cameras.values()))
    if name not in cameras:
        raise ExplanationError(f"camera '{name}' is unknown: use one of {', '.join(cameras)}")
    return cameras[name]


def _choose_method(name: str) -> str:
    method = name or METHODS[0]
    if method not in METHODS:
        raise ExplanationError(f"method '{name}' is unknown: use {' or '.join(METHODS)}")
    return method


def _fill(
    response: ExplainFace.Response,
    frame: DecodedImage,
    found: Explanation,
    drawn: NDArray[np.uint8],
) -> None:
    """Fill the response; ``drawn`` is the map over the crop, as far as privacy permits."""
    size = found.crop.shape[0]
    response.header = frame.header
    response.track_id = found.face.track_id
    response.emotion = found.emotion
    response.probability = found.probability
    response.overlay = image_message(drawn, frame.header)
    response.map_height, response.map_width = found.values.shape
    response.map = array.array("f", found.values.tobytes())
    shares = landmark_shares(found.values, found.landmarks, size)
    order = np.argsort(-shares)
    response.landmarks = array.array("B", order.astype(np.uint8).tobytes())
    response.landmark_shares = array.array("f", shares[order].astype(np.float32).tobytes())
    response.landmark_chance = LANDMARK_CHANCE
    regions = region_shares(found.values, found.landmarks, size)
    response.regions = [region.name for region in regions]
    response.region_shares = [region.share for region in regions]
    response.region_chances = [region.chance for region in regions]
