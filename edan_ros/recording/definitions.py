"""Message definitions, which a bag carries, and results serialised by them without ROS."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

import edan_ros
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.message_fields import face_fields

FACES, FACE = "edan_ros/msg/FaceEmotionArray", "edan_ros/msg/FaceEmotion"
MODEL_INFO = "edan_ros/msg/ModelInfo"

_IDL_RULE = "=" * 80 + "\nIDL: "
#: Stands for the hash of a type whose definition is unknown.
NO_DIGEST = "RIHS01_" + "0" * 64


@dataclass(frozen=True)
class Definition:
    """A message definition.

    text: with the definitions of all nested types. digest: its hash, RIHS01 of REP-2016.
    """

    text: str
    digest: str


class Definitions:
    """Finds definitions among those of ROS 2 and of the installed packages.

    Those of ROS 2 are of Humble, the last distribution whose bags carry none.
    """

    def __init__(self) -> None:
        self._store = get_typestore(Stores.ROS2_HUMBLE)

    def of(self, kind: str) -> Definition | None:
        """Return the definition of "package/msg/Name", None where it is not installed."""
        if not self._register(kind):
            return None
        text, _ = self._store.generate_msgdef(kind, ros_version=2)
        return Definition(text, self._store.hash_rihs01(kind))

    def store_with(self, *kinds: str) -> Typestore:
        """Return a store that makes and serialises messages of these kinds. Raises LookupError."""
        for kind in kinds:
            if not self._register(kind):
                raise LookupError(f"the definition of {kind} is not installed")
        return self._store

    def _register(self, kind: str) -> bool:
        """Add a type and its nested types to the store. Return False where one is not found."""
        if kind in self._store.fielddefs:
            return True
        path = _file_of(kind)
        if path is None:
            return False
        types = get_types_from_msg(path.read_text(encoding="utf-8"), kind)
        needed = {_message_of(field) for _, fields in types.values() for _, field in fields}
        if not all(self._register(name) for name in needed if name is not None):
            return False
        self._store.register(types)
        return True


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
        fields["gaze"] = self._types["geometry_msgs/msg/Vector3"](**fields["gaze"])
        return self._types[FACE](**fields)


def digest_of(kind: str, text: str) -> str:
    """Return the hash of a type by its definition; zeros where that cannot be parsed."""
    store = get_typestore(Stores.EMPTY)
    try:
        if text.startswith(_IDL_RULE):
            for part in text.split(_IDL_RULE)[1:]:
                store.register(get_types_from_idl(part.split("\n", 1)[1]))
        else:
            store.register(get_types_from_msg(text, kind))
        return store.hash_rihs01(kind)
    except Exception:  # the parser of rosbags raises all kinds; the bag is useful without the hash
        return NO_DIGEST


def _message_of(described: Any) -> str | None:
    """Return the message type of a field or of its elements, None for other fields."""
    node, value = described
    if node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return _message_of(value[0])
    return str(value) if node == Nodetype.NAME else None


def _file_of(kind: str) -> Path | None:
    """Return the .msg file of a type, None where it is not found.

    Searched are the installed ROS packages and, for a type of this package, the sources and the
    wheel for machines without ROS.
    """
    package, _, name = kind.split("/")
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    folders = [Path(prefix) / "share" / package / "msg" for prefix in prefixes if prefix]
    if package == "edan_ros":
        own = Path(edan_ros.__file__).parent
        folders += [own.parent / "msg", own / "interfaces" / "msg"]
    return next((f for folder in folders if (f := folder / f"{name}.msg").is_file()), None)
