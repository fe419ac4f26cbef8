"""One process of runs over several, started by torchrun from test_distributed.py.

Arguments: the configuration of the recogniser, the folder of the runs, and the step at which
process 1 is sent SIGTERM in each run (0 for never). Trains the recogniser and the detector, and
writes their weights to ``recogniser/rank<N>.pt`` and ``detector/rank<N>.pt`` at the end.
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
    config, folder, stop_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    images = {"landmarks68": [source_image(1), source_image(2)]}
    tasks = {
        "recogniser": EmotionTask(load_config(config), two_emotions()),
        "detector": DetectorTask(detector_config(epoch_samples=24), images),
    }
    with world("cpu") as here:

        def on_step(state: PhaseState) -> None:
            if here.rank == 1 and state.step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)

        for kind, task in tasks.items():
            out = folder / kind
            try:
                network = Trainer(task, out, world=here, workers=0, on_step=on_step).run()
            except Interrupted:
                (out / f"stopped{here.rank}").touch()
            else:
                torch.save(network.state_dict(), out / f"rank{here.rank}.pt")


if __name__ == "__main__":
    main()
