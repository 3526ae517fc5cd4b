"""Where do the Go and Node programs of the tests come from? Fetched once, kept for the next run.

Packages and compiled code stay in one cache directory (`ARKWAY_TEST_CACHE`, else below the
system's temporary directory). A missing toolchain or an unreachable registry skips
the test with its reason; anything else that goes wrong fails it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "conformance" / "clients"
CACHE = Path(
    os.environ.get("ARKWAY_TEST_CACHE") or Path(tempfile.gettempdir()) / "arkway-test-cache"
)
BUILD_LIMIT_S = 300  # the first build of openai-go on two busy cores takes about one minute
RUN_LIMIT_S = 15

# What the two package managers say when they cannot reach their registry.
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake|connection refused|proxyconnect"
    r"|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|network"
)


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limit_s: float = RUN_LIMIT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, within a bound, and return what it printed."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _fetched(done: subprocess.CompletedProcess[str], what: str) -> None:
    """Skip when the registry could not be reached; fail on any other failure."""
    if done.returncode == 0:
        return
    if _UNREACHABLE.search(done.stderr):
        pytest.skip(f"{what}: registry not reachable: {done.stderr.strip()[-200:]}")
    raise AssertionError(f"{what}: {done.stderr}")


def go_build(source: str, directory: Path) -> Path:
    """Return a program compiled in `directory` from one Go file, with the modules of `clients/go`.

    Modules and compiled packages stay in the cache, so that a later build only links.
    """
    go = shutil.which("go")
    if go is None:
        pytest.skip("no go on this machine")
    env = {
        "GOMODCACHE": str(CACHE / "go" / "mod"),
        "GOCACHE": str(CACHE / "go" / "build"),
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
    }
    for file in ("go.mod", "go.sum"):
        shutil.copy(CLIENTS / "go" / file, directory)
    (directory / "main.go").write_text(source)
    fetch = run([go, "mod", "download"], cwd=directory, env=env, limit_s=BUILD_LIMIT_S)
    _fetched(fetch, "Go modules")
    program = directory / "program"
    built = run([go, "build", "-o", str(program)], cwd=directory, env=env, limit_s=BUILD_LIMIT_S)
    assert built.returncode == 0, built.stderr
    return program


def node_client() -> list[str]:
    """Return the command of the Node client, its one package installed by the lock file."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node and npm on this machine")
    files = [CLIENTS / "node" / name for name in ("package.json", "package-lock.json")]
    name = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    work = CACHE / "node" / name
    if not (work / "node_modules" / ".package-lock.json").exists():
        work.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, work)
        fetch = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        _fetched(run(fetch, cwd=work, limit_s=BUILD_LIMIT_S), "npm packages")
    shutil.copy(CLIENTS / "node" / "client.mjs", work)
    return [node, str(work / "client.mjs")]
