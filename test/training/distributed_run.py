"""One process of a run over several, started by torchrun from test_distributed.py.

Arguments: recogniser or detector, the configuration, the folder of the run, and the step at which
process 1 is sent SIGTERM (0 for never). Writes its weights to ``rank<N>.pt`` at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from small_training import two_emotions
from test_detector_task import config as detector_config
from test_detector_task import source_image

from edan_ros.training.common.distributed import world
from edan_ros.training.common.trainer import Interrupted, PhaseState, Trainer
from edan_ros.training.detector.task import DetectorTask
from edan_ros.training.emotion.config import load_config
from edan_ros.training.emotion.task import EmotionTask


def main() -> None:
    kind, config, out, stop_at = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    if kind == "detector":
        images = {"landmarks68": [source_image(1), source_image(2)]}
        task = DetectorTask(detector_config(epoch_samples=24), images)
    else:
        task = EmotionTask(load_config(config), two_emotions())
    with world("cpu") as here:

        def on_step(state: PhaseState) -> None:
            if here.rank == 1 and state.step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)

        try:
            network = Trainer(task, out, world=here, workers=0, on_step=on_step).run()
        except Interrupted:
            (out / f"stopped{here.rank}").touch()
            return
        torch.save(network.state_dict(), out / f"rank{here.rank}.pt")


if __name__ == "__main__":
    main()
