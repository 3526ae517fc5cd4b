"""What does an open console cost the data plane? A browser, an hour, and a comparison with nginx.

    python bench/console_open.py COMPARE [SECONDS]   # 3600; COMPARE as for beside_nginx.py

Opens the console's overview in Chromium beside a gateway with a little traffic and leaves it there.
Then runs COMPARE with the page open, and without, in turns. COMPARE measures nginx in the same
minutes, so that what the browser itself takes of the machine is taken from both. Keeps the figures
and their medians in console_open.json.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from beside_nginx import (
    ARKWAY,
    CONTROL_PORT,
    OPS_PORT,
    PORT,
    UPSTREAM_URL,
    arkway,
    compare,
    gateway,
)

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from browser import browser

RESULT = Path(__file__).with_name("console_open.json")
CONTROL_URL = f"http://127.0.0.1:{CONTROL_PORT}"
OPTIONS = ["--modes", "unary,paced,open", "--rounds", "1", "--seconds", "5"]
ALTERNATIONS = 6  # single runs differ by a quarter on a virtual machine; the medians do not
CALLS_PER_S = 4


@contextmanager
def simulated(place):
    """Run a simulated account; yield its base URL and credential."""
    env_file = Path(place) / "sim.env"
    command = [ARKWAY, "sim", "ark", "--env-file", env_file, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = json.loads(process.stdout.readline())
            credential = env_file.read_text().splitlines()[0].partition("=")[2]
            yield told["accounts"][0]["base_url"], credential
        finally:
            process.terminate()


class Traffic:
    """A few calls a second, so that the page has something to show."""

    def __init__(self, key):
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.calls = self.failed = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()

    def _call(self):
        url = f"http://127.0.0.1:{PORT}/v1/chat/completions"
        while not self._ends.wait(1 / CALLS_PER_S):
            messages = [{"role": "user", "content": f"Hello, number {self.calls}."}]
            document = {"model": "Doubao-1.5-pro-32k", "messages": messages, "max_tokens": 8}
            body = json.dumps(document).encode()
            self.calls += 1
            try:
                request = urllib.request.Request(url, body, self._headers)
                with urllib.request.urlopen(request, timeout=20) as answer:
                    answer.read()
            except OSError:
                self.failed += 1


def log_in(page, home):
    token = (Path(home) / "first-admin-token").read_text().strip()
    page.goto(f"{CONTROL_URL}/login")
    page.fill("#token", token)
    page.click("button[type=submit]")
    page.wait_for_url(f"{CONTROL_URL}/")
    page.wait_for_selector("main h1")


def memory_mib(process):
    """Return the private memory of the gateway's own process, and of its children."""

    def pss(pid):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return round(pss(process.pid), 1), round(sum(pss(int(it)) for it in children), 1)


def compared(figures):
    """Return the figures that are compared."""
    unary, paced, open_loop = (figures[mode][0] for mode in ("unary", "paced", "open"))
    return {
        "unary_rps_of_nginx": unary["rps_ratio"],
        "unary_cpu_us": unary["gateway"]["cpu_us"],
        "paced_cpu_of_nginx": paced["cpu_ratio"],
        "open_added_p50_ms": open_loop["added_p50_ms"],
    }


def in_turns(page, command):
    """Return what is measured with the page open and without it."""
    measured = {"open": [], "closed": []}
    for _ in range(ALTERNATIONS):
        for how, url in (("open", CONTROL_URL), ("closed", "about:blank")):
            if page.url.rstrip("/") != url:  # at first it is open, and has been
                page.goto(url)
            print(f"the page is {how}", flush=True)
            measured[how].append(compared(compare(command)))
    return measured


def main():
    program, length_s = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 3600.0
    # Nobody clicks: by default the session would end, and what is measured be the login page.
    os.environ["ARKWAY_CONTROL_SESSION_IDLE_S"] = "86400"
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="arkway-bench-"))
        sim_url, credential = stack.enter_context(simulated(home))
        process, key = stack.enter_context(gateway(home, credential))
        env = os.environ | {"ARKWAY_HOME": home}
        told = ["--port", str(PORT), "--key", key, "--pid", str(process.pid)]
        command = [sys.executable, program, *OPTIONS, *told]

        page = stack.enter_context(browser()).new_page()
        wrong = []
        page.on("console", lambda it: wrong.append(it.text) if it.type == "error" else None)
        arkway("accounts", "edit", "fast", "--base-url", sim_url, env=env)
        log_in(page, home)
        page.wait_for_timeout(5_000)
        memory = [memory_mib(process)]
        with Traffic(key) as traffic:
            page.wait_for_timeout(length_s * 1000)
            shown = page.inner_text("main")
            assert page.url.rstrip("/") == CONTROL_URL, f"logged out: {page.url}"
            memory.append(memory_mib(process))
        arkway("accounts", "edit", "fast", "--base-url", UPSTREAM_URL, env=env)
        measured = in_turns(page, command)
        page.goto(CONTROL_URL)
        assert page.url.rstrip("/") == CONTROL_URL, f"logged out: {page.url}"
        ready = urllib.request.urlopen(f"http://127.0.0.1:{OPS_PORT}/readyz").status == 200
    with_page, without = (
        {name: median(it[name] for it in measured[how]) for name in measured[how][0]}
        for how in ("open", "closed")
    )
    result = {
        "measured": datetime.now(UTC).date().isoformat(),
        "open_s": length_s,
        "with_page": with_page,
        "without": without,
        "change": {name: round(with_page[name] / without[name] - 1, 4) for name in without},
        "runs": measured,
        "calls": traffic.calls,
        "calls_failed": traffic.failed,
        "memory_mib_gateway_and_children": memory,
        "console_errors": wrong,
        "is_ready_at_the_end": ready,
        "page_showed": " ".join(shown.split())[:400],
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
