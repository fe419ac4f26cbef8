"""Runs an executable that ends with the process that started it.

``python -m edan_ros.nodes.common.child EXECUTABLE [arguments]``. Standard input has to be a pipe
whose other end only the parent holds: however the parent ends, also by SIGKILL, the pipe closes.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

#: Seconds to shut down in order after the parent has ended.
_SHUTDOWN_TIMEOUT = 5.0


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_SHUTDOWN_TIMEOUT)
    os._exit(1)


def main() -> None:
    """Run the executable that the command line names in this process.

    Until the node handles SIGINT, the signal ends the process at once, without a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
