"""How does it look with a whole pool? Four simulated Ark accounts, and the gateway before them.

    make demo                   # until Ctrl-C; ARGS are flags of `arkway serve`
    make demo ARGS="--port 8090"

Everything is kept in var/demo, so a second start has the same keys; `rm -r var/demo` starts over.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ.get("ARKWAY_HOME", "var/demo"))
ARKWAY = (sys.executable, "-m", "arkway")
ACCOUNTS = 4
START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0


def main() -> int:
    """Run both until the gateway ends; return its exit status."""
    HOME.mkdir(parents=True, exist_ok=True)
    pool, keys, log = (HOME / name for name in ("pool.toml", "sim.env", "served.jsonl"))
    files = ("--pool-file", str(pool), "--env-file", str(keys), "--log", str(log))
    command = (*ARKWAY, "sim", "ark", "--accounts", str(ACCOUNTS), *files, "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as simulator:
        try:
            assert simulator.stdout is not None, "a pipe was asked for"
            if not select.select([simulator.stdout], [], [], START_LIMIT_S)[0]:
                raise TimeoutError("the simulator is not ready")
            ready = json.loads(simulator.stdout.readline() or "{}")
            variables = dict(line.split("=", 1) for line in keys.read_text().splitlines())
            environ = {**os.environ, **variables, "ARKWAY_HOME": str(HOME)}
            apply = (*ARKWAY, "accounts", "apply", str(pool), "--prune", "--yes")
            subprocess.run(apply, env=environ, check=True, stdout=subprocess.DEVNULL)
            print(introduction(ready["control"], log), flush=True)
            return serve(environ)
        finally:
            simulator.send_signal(signal.SIGTERM)
            simulator.wait(STOP_LIMIT_S)


def serve(environ: dict[str, str]) -> int:
    """Run the gateway; Ctrl-C goes to it, and we wait for it to end."""
    gateway = subprocess.Popen((*ARKWAY, "serve", *sys.argv[1:]), env=environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: gateway.terminate())
    return gateway.wait()


def introduction(control: str, log: Path) -> str:
    """Return what to try."""
    port = os.environ.get("ARKWAY_SERVER_PORT", "8080")
    if "--port" in sys.argv:
        port = sys.argv[sys.argv.index("--port") + 1]
    return f"""
{ACCOUNTS} simulated Ark accounts are behind the gateway. Ask it from another terminal:

    curl -N http://127.0.0.1:{port}/v1/chat/completions \\
      -H "Content-Type: application/json" \\
      -H "Authorization: Bearer $(cat {HOME}/first-key)" \\
      -d '{{"model": "Doubao-1.5-pro-32k", "stream": true,
           "messages": [{{"role": "user", "content": "Hello!"}}]}}'

Let one account fail, and see what they served:

    curl -X PUT {control}/faults -d '[{{"kind": "error", "status": 500, "accounts": ["ark-1"]}}]'
    tail -f {log}
"""


if __name__ == "__main__":
    sys.exit(main())
