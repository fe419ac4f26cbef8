"""Find faces, their 68 landmarks and their emotions in images, videos and ROS 2 camera topics.

The names in ``__all__`` are the public interface, which semantic versioning covers together with
the messages, the parameters and the command line:

    >>> from edan_ros import FaceAnalyzer, draw_faces
    >>> analyzer = FaceAnalyzer("edan-lite")
    >>> faces = analyzer.analyze("photo.jpg")
    >>> draw_faces("photo.jpg", faces).save("annotated.jpg")

Each is imported on first use: ``import edan_ros`` alone loads neither OpenCV nor ONNX Runtime.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edan_ros.analyzer import (
        Drawing,
        FaceAnalyzer,
        TrackedFrame,
        draw_faces,
        list_models,
        to_frame,
    )
    from edan_ros.core.boxes import Box
    from edan_ros.core.emotions import EMOTIONS
    from edan_ros.core.faces import CameraModel, Face, HeadPose
    from edan_ros.core.inference import Manifest

    __version__: str

__all__ = [
    "EMOTIONS",
    "Box",
    "CameraModel",
    "Drawing",
    "Face",
    "FaceAnalyzer",
    "HeadPose",
    "Manifest",
    "TrackedFrame",
    "__version__",
    "draw_faces",
    "list_models",
    "to_frame",
]

#: Public name -> module that defines it.
_MODULES = {
    "EMOTIONS": "edan_ros.core.emotions",
    "Box": "edan_ros.core.boxes",
    "CameraModel": "edan_ros.core.faces",
    "Drawing": "edan_ros.analyzer",
    "Face": "edan_ros.core.faces",
    "FaceAnalyzer": "edan_ros.analyzer",
    "HeadPose": "edan_ros.core.faces",
    "Manifest": "edan_ros.core.inference",
    "TrackedFrame": "edan_ros.analyzer",
    "draw_faces": "edan_ros.analyzer",
    "list_models": "edan_ros.analyzer",
    "to_frame": "edan_ros.analyzer",
}
#: Packages that rosidl generates when edan_ros is built with ROS 2.
_INTERFACES = ("msg", "srv")
#: Follows the name of what cannot run without them.
NEEDS_ROS = (
    "needs ROS 2: install it (docs.ros.org), then install edan_ros again in that environment, "
    "which builds its messages"
)

# The generated packages may be installed in another folder than this file: in an editable install,
# or when Python starts in the root of the repository.
__path__ = extend_path(__path__, __name__)


class _MissingInterfaces:
    """The last finder of modules, which is reached only where the interfaces are missing."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Raise ModuleNotFoundError, with what to install, for edan_ros.msg and edan_ros.srv."""
        if name in (f"{__name__}.{interface}" for interface in _INTERFACES):
            raise ModuleNotFoundError(f"{name} {NEEDS_ROS}", name=name)


sys.meta_path.append(_MissingInterfaces())


def __getattr__(name: str) -> Any:
    if name in _INTERFACES:
        return import_module(f"{__name__}.{name}")
    if name == "__version__":
        value: Any = _version()
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Return the installed version, or that of package.xml for sources that are not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:
        from pathlib import Path
        from xml.etree import ElementTree

        manifest = Path(__file__).resolve().parents[1] / "package.xml"
        return ElementTree.parse(manifest).getroot().findtext("version", "")
