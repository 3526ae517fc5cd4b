"""A headless browser with the console open: what it asks, says and stores is remembered."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".venv" / "test-needs" / "axe.min.js"
_RUN_AXE = """() => axe.run(document, {
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
})"""
TEXT_LIMIT_MS = 8_000  # a page shows within a second; two busy cores may need some


def needed() -> None:
    """Skip, with the reason, where there is no browser or no console."""
    pytest.importorskip("nicegui", reason="the extra `console` is not installed")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        pytest.skip("needs Debian's chromium: `make test` installs it as root")


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from browser import browser
    finally:
        sys.path.remove(str(ROOT / "tools"))
    with browser() as opened:
        yield opened


class Tab:
    """One page, logged in."""

    def __init__(self, opened: Any, url: str, look: str = "en.light") -> None:
        self.url = url
        self.wrong: list[str] = []  # what the page said, and whom else it asked
        self.frames: list[bytes] = []  # what came over its WebSockets
        self.context = opened.new_context(viewport={"width": 1360, "height": 900})
        self.context.set_default_timeout(TEXT_LIMIT_MS)
        self.context.add_cookies([{"name": "arkway_console", "value": look, "url": url}])
        self.context.on("request", self._asked)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.wrong.append(f"crash: {error.error}"))
        self.context.on("dialog", self._dialog)  # of whatever page
        self.page = self.context.new_page()
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._came))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked {request.url}")

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text[:300]}")

    def _came(self, frame: str | bytes) -> None:
        self.frames.append(frame.encode() if isinstance(frame, str) else frame)

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"a script ran: {dialog.message}")
        dialog.dismiss()

    def log_in(self, token: str) -> Self:
        self.page.goto(f"{self.url}/login")
        self.page.fill("#token", token)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.url}/")
        return self

    def open(self, path: str) -> Any:
        """Open a page, and wait until it can be used: its WebSocket is there."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("main h1")
        self.page.wait_for_function("() => window.socket?.connected !== false")
        return self.page

    def see(self, text: str) -> Any:
        """Return where `text` is shown, once it is."""
        found = self.page.get_by_text(text).first
        found.wait_for()
        return found

    def button(self, name: str, within: str = "body") -> None:
        self.page.locator(within).get_by_role("button", name=name, exact=True).first.click()

    def fill(self, label: str, value: str, within: str = "body") -> None:
        self.page.locator(within).get_by_label(label, exact=True).first.fill(value)

    def violations(self) -> list[str]:
        """Return what axe-core finds that is serious."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(_RUN_AXE)["violations"]
        return [
            f"{each['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"][:3]
        ]
