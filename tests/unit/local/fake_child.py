"""What would a model server do? It behaves as its first argument says, and needs no model.

    fake_child.py MODE FOLDER --port N

Every child leaves a file named after its process id in FOLDER.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

MODE, FOLDER, _, PORT = sys.argv[1:]


def serve(*, until_stdin_ends: bool = True) -> None:
    listener = socket.create_server(("127.0.0.1", int(PORT)))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while not until_stdin_ends or sys.stdin.read(1):
        time.sleep(60)


def serve_if_first() -> None:
    try:
        Path(FOLDER, "first").touch(exist_ok=False)
    except FileExistsError:
        refuse()
    serve()


def refuse() -> None:
    print(json.dumps({"error": "no such luck"}), flush=True)
    raise SystemExit(1)


def crash() -> None:
    sys.stderr.write("noise\n0.00.001 I load: fine\n0.00.002 E load: bad tensor\n0.01 E bye\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def resist() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(until_stdin_ends=False)


def babble() -> None:
    print(json.dumps(["a", "list"]), flush=True)
    time.sleep(60)


def raise_error() -> None:
    raise RuntimeError("a bug in the child")


Path(FOLDER, str(os.getpid())).touch()
{
    "serve": serve,
    "serve_if_first": serve_if_first,
    "refuse": refuse,
    "crash": crash,
    "resist": resist,
    "babble": babble,
    "raise_error": raise_error,
    "say_nothing": lambda: time.sleep(60),
}[MODE]()
