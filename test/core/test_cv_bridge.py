"""Encodings that only cv_bridge knows, and messages as images of the Python interface."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edan_ros import draw_faces
from edan_ros.core.images import ImageError
from edan_ros.core.images.still_image import DecodeLimits
from edan_ros.core.message_fields import decode_image, is_image


class CvBridgeError(TypeError):
    """As the original's."""


class StandIn:
    """What cv_bridge does with a made-up encoding: red, green and blue in planes."""

    asked: tuple[str, ...] = ()

    def imgmsg_to_cv2(self, message: Any, desired_encoding: str) -> np.ndarray:
        StandIn.asked += (message.encoding,)
        if message.encoding != "planes8":
            raise CvBridgeError(f"Unrecognized image encoding [{message.encoding}]")
        assert desired_encoding == "bgr8"
        planes = np.frombuffer(message.data, np.uint8).reshape(3, message.height, message.width)
        return planes[::-1].transpose(1, 2, 0)


@pytest.fixture
def cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("cv_bridge")
    module.CvBridge = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    monkeypatch.setattr(StandIn, "asked", ())


PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


def message(encoding: str = "planes8", **changed: Any) -> SimpleNamespace:
    data = PIXELS[..., ::-1].transpose(2, 0, 1).tobytes()
    fields = {"height": 2, "width": 4, "step": 4, "is_bigendian": 0, "data": data}
    return SimpleNamespace(encoding=encoding, **fields | changed)


@pytest.mark.usefixtures("cv_bridge")
def test_an_unknown_encoding_goes_through_cv_bridge() -> None:
    image = decode_image(message())
    assert image.order == "bgr"
    assert np.array_equal(image.pixels, PIXELS)


@pytest.mark.usefixtures("cv_bridge")
def test_known_encodings_do_not_need_it() -> None:
    decode_image(message("bgr8", step=12, data=PIXELS.tobytes()))
    assert StandIn.asked == ()


@pytest.mark.usefixtures("cv_bridge")
@pytest.mark.parametrize(
    ("changed", "reason", "text"),
    [
        ({"encoding": "16SC2"}, "encoding", r"\[16SC2\]"),
        ({"width": 5}, "encoding", "cannot convert"),
        ({"width": 40_000, "height": 40_000}, "too_large", "max_image_bytes"),
    ],
)
def test_what_cv_bridge_cannot_convert_is_an_image_error(
    changed: dict[str, Any], reason: str, text: str
) -> None:
    with pytest.raises(ImageError, match=text) as error:
        decode_image(message(**changed), limits=DecodeLimits())
    assert error.value.reason == reason


def test_without_cv_bridge_the_error_lists_the_known_encodings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(ImageError, match="publish one of mono8"):
        decode_image(message())


@pytest.mark.usefixtures("cv_bridge")
def test_the_python_interface_takes_and_fills_messages() -> None:
    drawn = draw_faces(message(), [])
    assert np.array_equal(drawn.pixels, PIXELS)
    filled = drawn.fill(SimpleNamespace())
    assert (filled.height, filled.width, filled.step, filled.encoding) == (2, 4, 12, "bgr8")
    assert np.array_equal(decode_image(filled).pixels, PIXELS)
    data = cv2.imencode(".png", PIXELS)[1].tobytes()
    assert np.array_equal(draw_faces(SimpleNamespace(format="png", data=data), []).pixels, PIXELS)


@pytest.mark.parametrize("encoding", [None, 5, []])
def test_an_object_whose_encoding_is_no_text_is_no_image(encoding: object) -> None:
    fields = {"width": 1, "height": 1, "step": 3, "data": b"abc"}
    assert is_image(SimpleNamespace(**fields, encoding="bgr8"))
    assert not is_image(SimpleNamespace(**fields, encoding=encoding))


def test_a_message_of_ros_is_filled() -> None:
    images = pytest.importorskip("sensor_msgs.msg", reason="ROS is not installed")
    filled = draw_faces(PIXELS, []).fill(images.Image())
    assert is_image(filled)
    assert is_image(images.CompressedImage())
    assert not is_image(images.CameraInfo())
    assert np.array_equal(decode_image(filled).pixels, PIXELS)
