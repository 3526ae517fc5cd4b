"""How does one llama.cpp server run? The child process behind one local account.

    python -P -m arkway.local.server --model FILE [--port N]

It prints one JSON line, `{"port": N}` once it answers or `{"error": "..."}`, then serves until
its standard input ends. The gateway holds the other end of that pipe, so the child goes when
the gateway goes, `kill -9` included (a child that is still loading goes when that is done:
loading holds the interpreter lock).

Only this process imports xllamacpp: the gateway stays small, and a crash in native code costs
one account and not the gateway.
"""

import argparse
import json
import os
from collections.abc import Sequence
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

HOST = "127.0.0.1"  # never reachable from another machine
THREADS = 1  # two threads on two busy cores wait for each other and stall for minutes
SLOTS = 4  # calls decoded side by side: `n: 3` interleaves and one call is still free
SLOT_WINDOW_TOKENS = 2048  # prompt and answer of one call: 47 MB of cache a slot, 135M weights
BATCH_TOKENS = 64  # prompts run at 80 tokens/s: others wait 0.8 s at most; 512 is no faster
DEFAULT_ANSWER_TOKENS = 1024  # for calls that set no limit: so small a model can ramble for ever
PROMPT_CACHE_MIB = 256  # 11 000 tokens of prompts that left their slot; llama.cpp's own: 8 GiB
NICENESS = 5  # the gateway and its callers come first on a machine with few cores
HEALTH_TIMEOUT_S = 10.0  # /health answers at once after loading; more is a hang
TEMPERATURE, TOP_P = 0.2, 0.9  # what SmolLM2's authors recommend; a call's own values win
LOG_ERRORS_ONLY = 1  # llama.cpp's levels: 0 output, 1 error, 2 warning, 3 info, 4 debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends; return 1 if serving cannot begin."""
    parser = argparse.ArgumentParser(prog="python -m arkway.local.server", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file to run")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    options = parser.parse_args(arguments)
    with os.fdopen(os.dup(1), "w") as announcements:
        os.dup2(2, 1)  # whatever native code prints must not be taken for the announcement
        os.nice(NICENESS)
        try:
            server = _start(options.model, options.port)
            port = _answering_port(server)
        except Exception as error:  # noqa: BLE001 - every cause becomes the one announced line
            print(json.dumps({"error": _one_line(error)}), file=announcements)
            return 1
        print(json.dumps({"port": port}), file=announcements)
    return _serve_until_stdin_ends()


def _start(model: Path, port: int) -> Any:
    """Load `model` and listen; the answer is xllamacpp's server, which stops when collected."""
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model.stem}  # the name in answers; its default is the whole path
    params.hostnames, params.port = [HOST], port
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * SLOT_WINDOW_TOKENS
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.n_predict = DEFAULT_ANSWER_TOKENS
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.sampling.temp, params.sampling.top_p = TEMPERATURE, TOP_P
    params.fit_params = False  # we sized it; fitting loads the weights a second time
    params.ui = params.endpoint_slots = False
    params.cors_origins = f"http://{HOST}"  # the default lets any page in a browser read answers
    params.verbosity = LOG_ERRORS_ONLY
    return xllamacpp.Server(params)


def _answering_port(server: Any) -> int:
    port = urlsplit(str(server.listening_address)).port
    assert port is not None, "a server that was built listens"
    connection = HTTPConnection(HOST, port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"/health answered {status}")
    return port


def _one_line(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"xllamacpp cannot be imported ({error}): run `make install`, or pip install it"
    return " ".join(str(error).split()).rstrip(".")


def _serve_until_stdin_ends() -> NoReturn:
    """Sleep while native threads serve. Output is closed first: it could quote a prompt."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    while os.read(0, 1024):
        pass
    os._exit(0)  # not `return`: tearing the server down would wait for running answers


if __name__ == "__main__":
    raise SystemExit(main())
