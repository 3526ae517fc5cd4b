"""A headless Chromium that asks nobody anything: how screenshots and browser tests start it.

Debian's `chromium` is driven by Playwright, whose own browsers are not fetched.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",
)


def executable() -> str | None:
    """Return where Chromium is; None: it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the tests' lock

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=executable(), args=list(QUIET))
        try:
            yield opened
        finally:
            opened.close()
