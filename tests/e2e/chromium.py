"""Debian's Chromium for the tests, where it is installed; nothing is downloaded.

With DRIP_TEST_CHROMIUM=required a machine without it fails the tests instead of leaving them out.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("DRIP_TEST_CHROMIUM") == "required"
LEFT_OUT = PROGRAM is None and not REQUIRED
WHY = "not run: there is no Chromium here; apt-get install chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    if PROGRAM is None:
        raise FileNotFoundError("DRIP_TEST_CHROMIUM=required, but there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM)
        yield browser
        browser.close()


def _say() -> None:
    """Say what was left out for want of a browser; `make test` ends with it."""
    if not LEFT_OUT:
        return
    source = Path(__file__).with_name("test_browser.py").read_text(encoding="utf-8")
    names = re.findall(r"^def (test_\w+)", source, re.MULTILINE)
    print(f"Not run: {len(names)} tests of patients' pages in a browser; apt-get install chromium.")
    print(*(f"  {name}" for name in names), sep="\n")


if __name__ == "__main__":
    _say()
