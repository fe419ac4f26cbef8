"""All emotion networks by name."""

from __future__ import annotations

import inspect
from typing import Any

from edan_ros.core.wording import did_you_mean
from edan_ros.networks.action_units import ActionUnitNetwork
from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.cnn2 import CNN2
from edan_ros.networks.cnn5 import CNN5
from edan_ros.networks.deep_emotion import DeepEmotion
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.networks.emotionnet2 import EmotionNet2
from edan_ros.networks.inception_v3 import InceptionV3

DEFAULT = "emotional_dan"
NETWORKS: dict[str, type[EmotionNetwork]] = {
    DEFAULT: EmotionalDAN,
    "cnn2": CNN2,
    "cnn5": CNN5,
    "inception_v3": InceptionV3,
    "emotionnet2": EmotionNet2,
    "deep_emotion": DeepEmotion,
    "action_units": ActionUnitNetwork,
}


def create_network(*, kind: str = DEFAULT, **options: Any) -> EmotionNetwork:
    """Create a network with random weights. ``options`` are the arguments of its class.

    Raises ValueError for a kind that is not in NETWORKS and for invalid options.
    """
    if kind not in NETWORKS:
        known = ", ".join(NETWORKS)
        hint = did_you_mean(str(kind), NETWORKS)
        raise ValueError(f"unknown network {kind!r}: choose one of {known}{hint}")
    entries = list(inspect.signature(NETWORKS[kind]).parameters)
    unknown = sorted(set(options) - set(entries))
    if unknown:
        raise ValueError(
            f"network {kind}: unknown entry {', '.join(unknown)}; known: {', '.join(entries)}"
        )
    try:
        return NETWORKS[kind](**options)
    except TypeError as error:  # a value of another type
        raise ValueError(f"network {kind}: {error}") from error


def kind_of(network: EmotionNetwork) -> str:
    """Return the name under which :func:`create_network` creates such a network."""
    return next(kind for kind, created in NETWORKS.items() if type(network) is created)
