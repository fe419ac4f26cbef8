"""Which exceptions end a command with one sentence instead of a traceback."""

from __future__ import annotations

from edan_ros import NEEDS_ROS
from edan_ros.core.images import ImageError
from edan_ros.datasets import DataError
from edan_ros.detection.base import DetectorError
from edan_ros.engines import EngineError
from edan_ros.fleet.workers import FleetError
from edan_ros.recording.files import RecordingError
from edan_ros.sources import SourceError
from edan_ros.training.common.config import ConfigError

USER_ERRORS = (
    ConfigError,
    DataError,
    DetectorError,
    EngineError,
    FleetError,
    ImageError,
    RecordingError,
    SourceError,
)
#: Optional modules, and the extra of edan_ros that installs them.
_EXTRAS = {
    "distributed": "fleet",
    "foxglove": "foxglove",
    "jinja2": "report",
    "matplotlib": "demo",
    "onnx": "train",
    "pyarrow": "parquet",
    "onnxscript": "train",
    "skimage": "demo",
    "torch": "train",
    "torchvision": "train",
    "tqdm": "train",
}
_ROS_MODULES = ("rclpy", "ament_index_python", "launch", "launch_ros")


def message_for(command: str, error: Exception) -> str | None:
    """Return the message for the user, or None for an error that is a fault of the program."""
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        if _belongs_to_ros(name):
            return f"edan {command} {NEEDS_ROS}"
        if name.startswith("edan_ros"):
            return None
        extra = _EXTRAS.get(name.partition(".")[0])
        if extra and command == "batch":
            extra = "fleet"  # which has all that it needs
        remedy = f"pip install 'edan_ros[{extra}]'" if extra else "see `edan doctor`"
        return f"edan {command}: the Python module '{name}' is not installed here: {remedy}"
    return f"edan {command}: {error}" if isinstance(error, USER_ERRORS) else None


def _belongs_to_ros(module: str) -> bool:
    top = module.partition(".")[0]
    interfaces = top.endswith(("_msgs", "_srvs", "_interfaces"))
    return interfaces or top in _ROS_MODULES or module in ("edan_ros.msg", "edan_ros.srv")
