"""The eye network, on ONNX Runtime whichever engine runs the recogniser.

A face costs it about 0.2 ms on one core; a GPU would gain nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.eye_crops import EYE_SIZE
from edan_ros.core.inference import EyePrediction
from edan_ros.engines.manifest import EngineError, load_manifest
from edan_ros.engines.onnxruntime import open_session

#: Task of eye networks in their manifests.
TASK = "eyes"
#: Name of the eye network that ships with the package.
SHIPPED = "edan-eyes"
#: Names of the network's inputs and outputs.
EYE_INPUTS = ("image", "head")
EYE_OUTPUTS = ("openness", "gaze", "quality")


class EyeModel:
    """The eye network, loaded.

    Args:
        model: name of a shipped eye network, or path of an .onnx file with its manifest beside it.
        threads: CPU threads of one run.

    Raises:
        ModelError: if the model is missing, damaged, or no eye network of this package.
    """

    def __init__(self, model: str | Path = SHIPPED, *, threads: int = 1) -> None:
        self.manifest = load_manifest(model, TASK)
        path = self.manifest.path
        self._session = open_session(path, EYE_OUTPUTS, threads=threads, inputs=EYE_INPUTS)
        self.infer(np.zeros((2, *EYE_SIZE), np.uint8), np.zeros((2, 2)))

    def infer(self, crops: NDArray[np.uint8], head: NDArray[np.floating]) -> EyePrediction:
        """Return the prediction for eyes.

        Args:
            crops: (n, 32, 48) grey levels, as ``extract_eyes`` cuts them.
            head: (n, 2) yaw and pitch of the head in the view frame of each crop, radians.

        Raises:
            EngineError: when the run fails.
        """
        inputs = {
            "image": np.asarray(crops, np.float32)[:, None],
            "head": np.asarray(head, np.float32),
        }
        try:
            return EyePrediction(*self._session.run(EYE_OUTPUTS, inputs))
        except Exception as error:  # its exception classes are not public and share no base
            raise EngineError(f"ONNX Runtime cannot run {self.manifest.name}: {error}") from error
