"""Serialise results as the messages that the emotion node publishes, without ROS."""

from __future__ import annotations

from typing import Any

from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.message_fields import face_fields
from edan_ros.recording.definitions import FACE, FACES, MODEL_INFO, Definitions


class FaceMessages:
    """Serialises messages. Raises LookupError where the definitions of edan_ros are missing."""

    def __init__(self, definitions: Definitions) -> None:
        self._store = definitions.store_with(FACES, FACE, MODEL_INFO)
        self._types = self._store.types

    def faces(self, result: FrameResult, stamp_ns: int, frame_id: str) -> bytes:
        """Return a FaceEmotionArray. stamp_ns, frame_id: of the image's header."""
        time = self._types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        message = self._types[FACES](
            header=self._types["std_msgs/msg/Header"](time, frame_id),
            image_width=result.width,
            image_height=result.height,
            faces=[self._face(face, result.width, result.height) for face in result.faces],
        )
        return bytes(self._store.serialize_cdr(message, FACES))

    def model_info(self, **fields: Any) -> bytes:
        """Return a ModelInfo with these fields."""
        return bytes(self._store.serialize_cdr(self._types[MODEL_INFO](**fields), MODEL_INFO))

    def _face(self, face: Face, width: int, height: int) -> Any:
        fields = face_fields(face, width, height)
        pose = fields["head_pose"]
        fields["roi"] = self._types["sensor_msgs/msg/RegionOfInterest"](**fields["roi"])
        fields["head_pose"] = self._types["geometry_msgs/msg/Pose"](
            self._types["geometry_msgs/msg/Point"](**pose["position"]),
            self._types["geometry_msgs/msg/Quaternion"](**pose["orientation"]),
        )
        return self._types[FACE](**fields)
