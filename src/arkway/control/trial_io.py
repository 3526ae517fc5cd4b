"""How is the gateway asked to test an account? One request to its ops port, with a proof.

The gateway may not have taken a change yet that was made a moment ago; then it is asked again.
"""

import http.client
import time
from typing import Any
from urllib.parse import urlencode

import msgspec

from arkway.control.process import Server
from arkway.control.proof import HEADER, TEST_PATH, proof
from arkway.control.reach import dialled
from arkway.control.worker_io import exchange

ANSWER_S = 30.0  # the gateway gives up on the account after 25
BEHIND_S = 3.0  # changes are taken within a second
_AGAIN_S = 0.1
_MAX_BYTES = 64 * 1024
_BEHIND, NOT_SERVED = "behind", "not_served"


class Booked(msgspec.Struct, frozen=True):
    """What the ledger has of it. The five classes of tokens add up; none contains another."""

    kind: str  # of `ledger.entry.Kind`
    source: str  # whose counts these are
    uncached: int
    cached: int
    created: int
    output: int
    reasoning: int
    cost_nano: int


class Tested(msgspec.Struct, frozen=True):
    """What came of one test."""

    request_id: str  # its row of the ledger: `arkway explain`
    account: str
    model: str
    upstream_model: str
    is_ok: bool
    ending: str  # of `model.outcome.Ending`
    status: int  # of the upstream; 0: none came
    code: str  # the upstream's error code; empty: none
    error_class: str  # of `model.outcome.ErrorClass`; empty: none
    connected_ms: int  # until the request was sent, on a new connection; 0: it never was
    took_ms: int
    booked: Booked
    currency: str

    def recorded(self) -> dict[str, object]:
        """Return what the audit log keeps: which call it was, and what came of it."""
        names = ("request_id", "model", "is_ok", "status", "code")
        return {name: getattr(self, name) for name in names}


class NotTested(Exception):
    """It was not done; `code` says why, in a word, and the message in a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def ask_trial(server: Server, key: bytes, account: str, model: str | None, revision: int) -> Tested:
    """Let the gateway test `account`; return what came of it. Blocks, ANSWER_S at most.

    Shapes:  key: `Secrets.ops`; revision: of the store, which the gateway has to have taken.
    Errors:  NotTested: nothing is known of the account. The gateway may have called it all the
             same, where `code` is `no_answer`; the ledger has it then.
    """
    fields = {"account": account, "revision": str(revision), **({"model": model} if model else {})}
    target = f"{TEST_PATH}?{urlencode(fields)}"
    ends_s = time.monotonic() + BEHIND_S
    while True:
        status, document = _asked(server, key, target)
        code = str(document.get("code", ""))
        if status == http.client.OK:
            return msgspec.convert(document, Tested)
        if code != _BEHIND or time.monotonic() > ends_s:
            raise NotTested(code or "no_answer", str(document.get("message", "")))
        time.sleep(_AGAIN_S)


def _asked(server: Server, key: bytes, target: str) -> tuple[int, dict[str, Any]]:
    headers = {HEADER: proof(key, target, int(time.time()))}
    try:
        return exchange(server, "POST", target, ANSWER_S, _MAX_BYTES, headers)
    except ConnectionRefusedError:
        text = f"no gateway answers on {dialled(server.ops_host)}:{server.ops_port}"
        raise NotTested("no_gateway", text) from None
    except TimeoutError:
        raise NotTested("no_answer", "the gateway did not answer in time") from None
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        raise NotTested("no_answer", "what answers on the ops port is no gateway") from None
