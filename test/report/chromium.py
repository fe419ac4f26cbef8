"""Starts Chromium for the tests that read a page in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


def launch(playwright: Any) -> Any:
    """Playwright's own Chromium, or the system's; skips the test where there is none.

    Expectations wait for a minute: a busy machine is slow.
    """
    pytest.importorskip("playwright.sync_api").expect.set_options(timeout=60_000)
    own = Path(playwright.chromium.executable_path)
    names = ("chromium", "chromium-browser", "google-chrome")
    found = str(own) if own.is_file() else next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium here: playwright install chromium")
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
