"""One process of a run over several: started by torchrun from test_spread.py.

Arguments: the configuration, the folder of the run, and the step at which process 1 is asked to
end (0 for never). Writes its weights to ``rank<N>.pt`` when it has finished.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from small_training import two_emotions

from edan_ros.training.common.config import load_config
from edan_ros.training.common.distributed import world
from edan_ros.training.common.stopping import Interrupted
from edan_ros.training.common.trainer import Trainer


def main() -> None:
    config, out, stop_at = load_config(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    step = Trainer._step

    def watched(trainer: Trainer, progress, *rest) -> None:
        step(trainer, progress, *rest)
        if trainer.world.rank == 1 and progress.step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    Trainer._step = watched
    torch.set_num_threads(1)
    with world("cpu") as here:
        try:
            network = Trainer(config, two_emotions(), out, world=here, workers=0).run()
        except Interrupted:
            (out / f"stopped{here.rank}").touch()
            return
        torch.save(network.state_dict(), out / f"rank{here.rank}.pt")


if __name__ == "__main__":
    main()
