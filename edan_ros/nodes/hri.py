"""What is shared with ROS4HRI (REP-155): the names of expressions, and hri_msgs if installed."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from std_msgs.msg import Header

from edan_ros.core.emotions import EMOTIONS, UNKNOWN

#: Names of EMOTIONS in hri_msgs/Expression.
EXPRESSIONS = ("neutral", "happy", "sad", "surprised", "scared", "disgusted", "angry")


def hri_messages() -> ModuleType | None:
    """The module hri_msgs.msg, or None where it is not installed."""
    try:
        return importlib.import_module("hri_msgs.msg")
    except ModuleNotFoundError:
        return None


def expression_message(
    messages: ModuleType,
    header: Header,
    emotion: int,
    confidence: float,
    valence: float = float("nan"),
    arousal: float = float("nan"),
) -> Any:
    """An hri_msgs/Expression; an emotion that is UNKNOWN has no name."""
    name = "" if emotion == UNKNOWN else EXPRESSIONS[emotion]
    return messages.Expression(
        header=header, expression=name, valence=valence, arousal=arousal, confidence=confidence
    )


assert len(EXPRESSIONS) == len(EMOTIONS)
