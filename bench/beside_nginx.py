"""What does a call cost next to nginx proxying the same bytes? Run a comparison, keep its figures.

    python bench/beside_nginx.py COMPARE [its options]   # or: make bench COMPARE=...

COMPARE is a program that is told the gateway's `--port`, `--key` and `--pid`, itself serves the
upstream at 127.0.0.1:9011, and prints a JSON object as its last line. The gateway runs as its
users run it: the installed command, one account, default settings. Figures of one run are
comparable with each other only; the ratios in them are what to quote.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

RESULT = Path(__file__).with_name("beside_nginx.json")
ARKWAY = Path(sys.executable).with_name("arkway")
UPSTREAM_URL = "http://127.0.0.1:9011/v1"
PORT, OPS_PORT, CONTROL_PORT = 18080, 18082, 18083  # below the ports that outgoing connections take
START_LIMIT_S = 20.0
TOOLS = {"cc": "gcc", "wrk": "wrk", "nginx": "nginx-light"}  # command: Debian package


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("name the comparison program: make bench COMPARE=path/to/compare.py")
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)]
    if missing:
        sys.exit(f"missing on this machine: apt-get install {' '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="arkway-bench-") as home, gateway(home) as started:
        process, key = started
        told = ["--port", str(PORT), "--key", key, "--pid", str(process.pid)]
        command = [sys.executable, *sys.argv[1:], *told]
        figures = compare(command)
    result = {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} x {processor()}",
        "python": platform.python_version(),
        "figures": figures,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"kept in {RESULT}")


@contextmanager
def gateway(home: str, credential: str = "bench") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a gateway with one account; yield its process and a caller's key."""
    env = os.environ | {"ARKWAY_HOME": home, "UPSTREAM_KEY": credential}
    account = ["--dialect", "openai", "--base-url", UPSTREAM_URL, "--key-env", "UPSTREAM_KEY"]
    arkway("accounts", "add", "fast", *account, env=env)
    key = json.loads(arkway("keys", "create", "--name", "bench", "--json", env=env))["key"]
    ports = ["--port", str(PORT), "--ops-port", str(OPS_PORT), "--control-port", str(CONTROL_PORT)]
    with subprocess.Popen([ARKWAY, "serve", *ports], env=env) as process:
        try:
            await_ready(process)
            yield process, key
        finally:
            process.send_signal(signal.SIGTERM)


def arkway(*arguments: str, env: dict[str, str]) -> str:
    return subprocess.run(
        [ARKWAY, *arguments], env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def await_ready(process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{OPS_PORT}/readyz"):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the gateway did not become ready")


def compare(command: list[str]) -> dict[str, object]:
    """Run the comparison, show what it prints, and return its last line."""
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = line
            if not line.startswith("{"):
                print(line, end="", flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    return json.loads(last)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
