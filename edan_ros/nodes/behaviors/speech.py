"""Speaks sentences with a speech program of the system: espeak-ng or speech-dispatcher."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable

#: Program -> its command line up to the text; {voice} is the language.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "spd-say": ("spd-say", "--wait", "--language", "{voice}", "--"),
    "espeak-ng": ("espeak-ng", "-v", "{voice}", "--"),
}
#: Seconds after which a speech program that is still running is killed.
LONGEST = 30.0
CHOICES = ("off", "auto", *PROGRAMS)


class SpeechError(RuntimeError):
    """The requested speech program is not installed; the message names it."""


class Speaker:
    """Speaks one sentence at a time, without waiting for its end.

    Args:
        program: one of CHOICES; auto selects the first one that is installed, or stays silent.
        which: finds a program, as shutil.which.

    Raises:
        SpeechError: the program is not installed.
    """

    def __init__(self, program: str, which: Callable[[str], str | None] = shutil.which) -> None:
        candidates = {"off": (), "auto": tuple(PROGRAMS)}.get(program, (program,))
        found = [name for name in candidates if which(name)]
        if not found and program not in ("off", "auto"):
            raise SpeechError(f"{program} is not installed: install it, or set speech to auto")
        self.program = found[0] if found else ""
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    def say(self, text: str, voice: str) -> bool:
        """Start to speak a text; return False while the last one is spoken or without a program."""
        if not self.program or self.busy():
            return False
        self._began = time.monotonic()
        command = [part.format(voice=voice) for part in PROGRAMS[self.program]]
        self._process = subprocess.Popen(
            [*command, text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return True

    def busy(self) -> bool:
        """Return whether a sentence is being spoken."""
        if self._process is None or self._process.poll() is not None:
            return False
        if time.monotonic() - self._began > LONGEST:
            self._process.kill()
        return True

    def close(self) -> None:
        """Stop speaking."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
