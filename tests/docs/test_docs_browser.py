"""Does a browser show the site? Chromium without a screen: no console error, our script runs.

Few, since each starts a browser. Skipped where there is no Chromium.
"""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from arkway.site.app import docs_app

CHROMIUM = shutil.which("chromium")
START_LIMIT_S = 10.0
PAGE_LIMIT_S = 60  # a first start on two busy cores; usually two seconds
FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-background-networking
    --disable-component-update --disable-sync --no-first-run --hide-scrollbars
    --enable-logging=stderr --virtual-time-budget=3000
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = Starlette(routes=[Mount("/docs", docs_app())])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end_s = time.monotonic() + START_LIMIT_S
    while not server.started and time.monotonic() < end_s:
        time.sleep(0.02)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/docs"
    server.should_exit = True
    thread.join(START_LIMIT_S)


def shown(url: str, profile: Path, *flags: str) -> tuple[str, str]:
    """Return the page as it is after its script has run, and what the console says."""
    done = subprocess.run(
        [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", *flags, "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=PAGE_LIMIT_S,
        check=True,
    )
    return done.stdout, "\n".join(re.findall(r".*CONSOLE.*", done.stderr))


def test_a_page_on_a_wide_screen(url, tmp_path):
    dom, console = shown(f"{url}/api", tmp_path, "--window-size=1440,900")

    assert console == ""
    assert '<button type="button">Copy</button>' in dom, "the script runs under the policy"
    assert re.search(r"<details open(=\"\")?>", dom)
    assert 'role="combobox"' in dom


def test_search_results_on_a_phone_in_the_dark(url, tmp_path):
    dark = "--blink-settings=preferredColorScheme=0"
    page = f"{url}/search?q=How+do+I+rotate+a+key%3F"
    dom, console = shown(page, tmp_path, "--window-size=500,900", dark)

    assert console == ""
    assert 'class="answer"' in dom
    assert "keys_and_budgets#rotate-a-key" in dom
    assert "<details>" in dom, "the list of pages is closed on a phone"
