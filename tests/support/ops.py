"""What does a command line need of a running gateway? Its `/status`, from a fake."""

import json
import time
from http.server import BaseHTTPRequestHandler

from arkway import __version__
from arkway.control.proof import HEADER, is_proved
from support.threaded import Threaded


def account_now(name="main", **changes):
    """Return one account of `/status`."""
    return {
        "account": name, "state": "up", "in_flight": 3, "utilisation": 0.5, "waiting": 1,
        "limits": {"requests": 0.5, "tokens": 0.25}, "cached_share": 0.8, "reason": "",
        "returns_in_s": None, "attempts": {"completed": 9}, "ejections": 0, **changes,
    }  # fmt: skip


def trial_told(**changes):
    """Return what a gateway tells of a test of an account."""
    booked = {
        "kind": "settle", "source": "upstream", "uncached": 8, "cached": 0, "created": 0,
        "output": 1, "reasoning": 0, "cost_nano": 1_400,
    }  # fmt: skip
    return {
        "request_id": "01a2141f-9d12-7aea-8371-946aeac83300", "account": "main",
        "model": "Doubao-pro-32k", "upstream_model": "ep-1", "is_ok": True, "ending": "completed",
        "status": 200, "code": "", "error_class": "", "connected_ms": 12, "took_ms": 340,
        "booked": booked, "currency": "CNY", **changes,
    }  # fmt: skip


REFUSED = {
    "is_ok": False, "ending": "refused", "status": 403, "code": "AccountOverdueError",
    "error_class": "broken",
}  # fmt: skip


def status_of(home="/nowhere", *accounts, **changes):
    """Return a document of `/status`."""
    times = {"p50": 0.2, "p95": 0.5, "p99": 1.25, "count": 60}
    return {
        "state": "ready", "version": __version__, "home": str(home), "pid": 1,
        "time_unix_ms": 1, "uptime_s": 7320.0, "revision": 4, "last_change_lag_s": 0.1,
        "calls_in_flight": 3, "streams": 2, "connections": 5,
        "rates": {
            "over_s": 10.0, "calls_per_s": 12.5, "failed_per_s": 0.1, "errors_per_s": 0.2,
            "failed_attempts_per_s": {"transient": 0.1, "account_limited": 1.5},
            "input_tokens_per_s": 3400.0, "cached_input_tokens_per_s": 1700.0,
            "output_tokens_per_s": 900.0, "cost_per_s": {"CNY": 0.001},
        },
        "time_to_first_token_s": times, "call_duration_s": times, "cache_hit_ratio": 0.5,
        "accounts": list(accounts) or [account_now()],
        "ledger": {"is_open": True, "waiting": 0, "unfiled": 0, "last_commit_s": 0.001},
        "event_loop_lag_s": 0.002, "attention": [], **changes,
    }  # fmt: skip


class Ops(Threaded):
    """An ops port that answers `/status` with `status`; or `raw`, if there is some.

    Tests of accounts are answered by `trials`, (status, document) each, the last one for ever;
    `trial_asks` has what was asked: the target, and whether the proof was good.
    """

    def __init__(self, key=b""):
        self.status, self.raw, self.code, self.asked = {}, None, 200, 0
        self.key, self.trials, self.trial_asks = key, [(200, trial_told())], []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.asked += 1
                self.send_response(fake.code if self.path == "/status" else 404)
                self.end_headers()
                self.wfile.write(fake.raw or json.dumps(fake.status).encode())

            def do_POST(self):
                given = self.headers.get(HEADER, "")
                good = is_proved(fake.key, self.path, given, int(time.time()))
                fake.trial_asks.append((self.path, good))
                status, document = fake.trials.pop(0) if len(fake.trials) > 1 else fake.trials[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

        super().__init__(Handler)
