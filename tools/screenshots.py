"""Pictures of the console: `make screenshots`, or to look at every page

    python tools/screenshots.py FOLDER [URL TOKEN [PAGES [LOOKS]]]

Without a URL the demo of `demo_live` is started, given a while to fill its graphs, and the pictures
of the documentation are taken. With one, every page in every look, whole, and narrow. Anything that
a page says on the browser's console, or asks of another host, fails the run.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))

from browser import browser

PAGES = (
    "overview", "accounts", "keys", "key", "usage", "calls", "call", "models", "audit",
    "playground", "lab", "settings", "access", "login",
)  # fmt: skip
LOOKS = ("en.light", "en.dark", "zh.light", "zh.dark")
Some = tuple[str, ...]
WIDE, NARROW = (1440, 900), (420, 900)
_FILL_S = 75.0
# What docs/console.md shows.
SHOWN = (
    ("overview", "en.light"),
    ("accounts", "en.light"),
    ("keys", "en.light"),
    ("usage", "en.dark"),
    ("call", "en.light"),
    ("playground", "en.light"),
    ("overview", "zh.dark"),
)
_SHOWN_SIZE = (1360, 860)


def take(folder: Path, url: str, token: str, what: tuple[Some, Some]) -> list[str]:
    """Take the pictures; return what was wrong. Shapes: what: pages, looks."""
    wanted, looks = what
    wrong: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for look in looks:
            for width, height in (WIDE, NARROW) if look.endswith("light") else (WIDE,):
                if (width, height) == NARROW and look != "en.light":
                    continue
                context = opened.new_context(viewport={"width": width, "height": height})
                _watch(context, url, wrong)
                _log_in(context, url, token, look)
                for page in wanted:
                    suffix = "-narrow" if (width, height) == NARROW else ""
                    _one(
                        context, url, page, folder / f"{page}-{look.replace('.', '-')}{suffix}.png"
                    )
                context.close()
    return wrong


def illustrate(folder: Path, url: str, token: str) -> list[str]:
    """Take the pictures of the documentation; return what was wrong."""
    wrong: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for page, look in SHOWN:
            width, height = _SHOWN_SIZE
            context = opened.new_context(viewport={"width": width, "height": height})
            _watch(context, url, wrong)
            _log_in(context, url, token, look)
            name = f"{page}-{look.replace('.', '-')}.png"
            _one(context, url, page, folder / name, is_whole=False)
            context.close()
    return wrong


def _watch(context: Any, url: str, wrong: list[str]) -> None:
    host = urlsplit(url).netloc

    def asked(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
            wrong.append(f"asked {request.url}")

    def said(message: Any) -> None:
        if message.type in ("error", "warning") and "Layout was forced" not in message.text:
            wrong.append(f"{message.type}: {message.text[:300]}")

    context.on("request", asked)
    context.on("console", said)
    context.on("weberror", lambda error: wrong.append(f"crash: {error.error}"))


def _log_in(context: Any, url: str, token: str, look: str) -> None:
    context.add_cookies([{"name": "arkway_console", "value": look, "url": url}])
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("#token", token)
    page.click("button[type=submit]")
    page.wait_for_url(f"{url}/")
    page.close()


def _one(context: Any, url: str, name: str, path: Path, *, is_whole: bool = True) -> None:
    page = context.new_page()
    page.goto(url + _address(page, url, name))
    if name != "login":
        page.wait_for_selector("main h1")
        page.wait_for_timeout(4000 if name == "overview" else 1400)
    if name == "playground":
        _talk(page, context, url)
    page.screenshot(path=path, full_page=is_whole)
    page.close()


def _talk(page: Any, context: Any, url: str) -> None:
    """Have a conversation of two turns with a key that is made for it."""
    asked = context.request.get(f"{url}/admin/v1/session")
    headers = {"x-csrf-token": asked.json()["csrf_token"], "origin": url}
    name = {"name": f"playground-{time.monotonic_ns()}"}
    made = context.request.post(f"{url}/admin/v1/keys", headers=headers, data=name)
    page.get_by_label("API key").or_(page.get_by_label("API 密钥")).fill(made.json()["key"])
    page.wait_for_timeout(1000)  # a new key is known to the gateway within a second
    message = page.locator("textarea").first
    for turn in range(1, 3):
        message.fill("Which rivers run to the sea? " * 12 * turn)
        message.press("Control+Enter")
        page.locator(".turn a.meta").nth(turn - 1).wait_for(timeout=20_000)
    page.evaluate("() => document.activeElement.blur()")


def _address(page: Any, url: str, name: str) -> str:
    """Return a page's path; of a key and a call, those of the first one in the list."""
    if name == "key":
        page.goto(f"{url}/keys?name=support-chat")
        return str(page.locator("a[href^='/keys/']").first.get_attribute("href", timeout=8000))
    if name == "call":
        page.goto(f"{url}/calls?code=rate_limit_exceeded")
        return str(page.locator("a[href^='/calls/']").first.get_attribute("href", timeout=8000))
    return {"overview": "/", "usage": "/usage?by=model,key"}.get(name, f"/{name}")


@contextmanager
def _demo() -> Iterator[tuple[str, str]]:
    import asyncio  # noqa: PLC0415

    import demo_live  # noqa: PLC0415

    ready, done = threading.Event(), threading.Event()
    with tempfile.TemporaryDirectory(prefix="arkway-demo-") as place:
        home = Path(place) / "home"

        async def run() -> None:
            async with demo_live.gateway(home):
                ready.set()
                await asyncio.to_thread(done.wait)

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        try:
            if not ready.wait(120):
                raise SystemExit("the demo did not start")
            token = (home / "first-admin-token").read_text(encoding="utf-8").strip()
            yield f"http://127.0.0.1:{demo_live.CONTROL_PORT}", token
        finally:
            done.set()
            thread.join(30)


def main(folder: Path, where: list[str]) -> None:
    """Take every picture; with a demo of our own where none is named."""
    if where:
        pages, looks = (part.split(",") for part in (*where[2:], *[""] * 2)[:2])
        wrong = take(folder, where[0], where[1], (_some(pages, PAGES), _some(looks, LOOKS)))
    else:
        with _demo() as (url, token):
            with browser() as opened:
                context = opened.new_context()
                _log_in(context, url, token, "en.light")
                context.new_page().goto(f"{url}/")  # somebody looks: the graphs fill
                time.sleep(_FILL_S)
            wrong = illustrate(folder, url, token)
    for line in dict.fromkeys(wrong):
        print(line)
    if wrong:
        raise SystemExit(1)


def _some(named: list[str], every: Some) -> Some:
    return tuple(each for each in named if each) or every


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
