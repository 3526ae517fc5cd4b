"""What do the browser's tests need that pip does not bring? Fetched once, on a best effort.

    python tools/test_needs.py FOLDER

Debian's Chromium, where this runs as root and apt-get is there; and axe-core, the judge of
accessibility, from npm, pinned by its hash, into FOLDER. What cannot be had is said, and its tests
are skipped with that reason; nothing here fails a build.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from browser import executable

AXE = "axe-core@4.14.1"
AXE_SHA512 = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
_APT_S, _NPM_S = 300, 90


def chromium() -> str:
    """Install Chromium if it is missing; return what there is to say."""
    if executable() is not None:
        return ""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "the console's browser tests need chromium: apt-get install chromium"
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium")
    for before in (None, ("apt-get", "update", "-q")):
        if before is not None:
            _run(before, _APT_S, environ)
        if _run(command, _APT_S, environ) and executable() is not None:
            return ""
    return "chromium could not be installed: the console's browser tests are skipped"


def axe(folder: Path) -> str:
    """Fetch axe-core if it is missing; return what there is to say."""
    if (folder / "axe.min.js").exists():
        return ""
    if shutil.which("npm") is None:
        return "axe-core needs npm: the test of accessibility is skipped"
    with tempfile.TemporaryDirectory() as place:
        command = ("npm", "pack", "--silent", "--pack-destination", place, AXE)
        packed = list(Path(place).glob("*.tgz")) if _run(command, _NPM_S, dict(os.environ)) else []
        if not packed:
            return "axe-core could not be fetched: the test of accessibility is skipped"
        digest = base64.b64encode(hashlib.sha512(packed[0].read_bytes()).digest()).decode()
        if digest != AXE_SHA512:
            raise SystemExit(f"{AXE} is not what was pinned: {digest}")
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None, "it is a file"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "axe.min.js").write_bytes(member.read())
    return ""


def _run(command: tuple[str, ...], limit_s: float, environ: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            command, timeout=limit_s, env=environ, check=False, capture_output=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    for said in (chromium(), axe(Path(sys.argv[1]))):
        if said:
            print(said)
