"""How is the simulator looked at and changed while it runs? A small HTTP interface on loopback.

    GET    /state             accounts with their counters, limits in use and cache
    PUT    /faults            a JSON list of rules, in the place of all others; DELETE: none
    PATCH  /accounts/NAME     other limits, models, slowness
    DELETE /caches            all prompt caches, or /caches/NAME: one account's

Whoever reaches it may do everything: it listens on loopback only, and there is nothing to steal.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from arkway.simulate.ark.faults import FaultRule
from arkway.simulate.ark.form import JSON_TYPE, head
from arkway.simulate.ark.http_io import HttpConnection, Request
from arkway.simulate.ark.settings import Account, SettingsError, check_rules
from arkway.simulate.ark.world import AccountState

if TYPE_CHECKING:
    from arkway.simulate.ark.server_io import Server

_decode_rules = msgspec.json.Decoder(tuple[FaultRule, ...]).decode
_CHANGEABLE = ("limits", "model_limits", "not_open", "takes_model_ids", "endpoints", "slowness")


class ControlConnection(HttpConnection):
    """One connection to the control port."""

    def __init__(self, server: "Server") -> None:
        super().__init__()
        self._server = server

    def serve(self, request: Request) -> None:
        """Answer at once."""
        path = request.path.decode("latin-1").partition("?")[0].strip("/").split("/")
        pending: asyncio.Task[None] | None = None
        try:
            if path == ["faults"] and request.method in (b"PUT", b"DELETE"):
                is_put = request.method == b"PUT"
                rules = _decode_rules(request.body) if is_put else ()
                check_rules(self._server.settings, rules)
                pending = self._server.set_faults(rules)
                answer: Any = {"rules": len(rules)}
            else:
                answer = self._answer(request.method, path, request.body)
            status = 200 if answer is not None else 404
        except (msgspec.DecodeError, SettingsError) as error:
            status, answer = 400, {"error": str(error)}
        if pending is None:
            self._reply(status, answer)
        else:
            pending.add_done_callback(lambda _: self._reply(status, answer))

    def _reply(self, status: int, answer: Any) -> None:
        body = msgspec.json.encode(answer or {"error": "there is no such thing"})
        self.write(head(status, JSON_TYPE, len(body), b"") + body)
        self.done()

    def _answer(self, method: bytes, path: list[str], body: bytes) -> Any:
        """Return the answer; None: there is no such thing."""
        server, states = self._server, self._server.world.states
        match method, path:
            case b"GET", ["state"]:
                return state_of(server)
            case b"PATCH", ["accounts", name] if name in states:
                change(states[name], msgspec.json.decode(body))
                return _account(states[name], server.now_s())
            case b"DELETE", ["caches", *names] if len(names) <= 1 and set(names) <= set(states):
                for name in names or states:
                    states[name].cache.clear()
                return {"cleared": len(names or states)}
        return None


def change(state: AccountState, raw: Any) -> None:
    """Change an account as `raw` says.

    Errors:  SettingsError, msgspec.ValidationError: nothing has changed then.
    """
    if not isinstance(raw, dict) or set(raw) - set(_CHANGEABLE):
        raise SettingsError(f"accounts: can be changed: {', '.join(_CHANGEABLE)}")
    whole = msgspec.to_builtins(state.account) | raw
    account = msgspec.convert(whole, Account)
    models = {model.id for model in state.settings.models}
    for name in {*account.model_limits, *account.not_open, *account.endpoints.values()} - models:
        raise SettingsError(f"accounts: there is no model {name!r}")
    state.change(account)


def state_of(server: "Server") -> dict[str, Any]:
    """Return how things are."""
    now_s = server.now_s()
    return {
        "now_s": round(now_s, 6),
        "accounts": [_account(state, now_s) for state in server.world.states.values()],
        "faults": [
            {**msgspec.to_builtins(rule), "struck": struck}
            for rule, struck in server.world.faults.rules
        ],
    }


def _account(state: AccountState, now_s: float) -> dict[str, Any]:
    models = {}
    for model, gate in state.gates.items():
        requests, tokens = gate.used(now_s)
        models[model] = {
            "limits": gate.limits,
            "requests_last_min": requests,
            "tokens_last_min": tokens,
            "in_flight": gate.in_flight,
            "peak_in_flight": gate.peak_in_flight,
        }
    return {
        "name": state.account.name,
        "account_id": state.account.account_id,
        "requests": state.requests,
        "answered": state.answered,
        "refused": state.refused,
        "faults": state.struck,
        "callers_left": state.left,
        "prompt_tokens": state.prompt_tokens,
        "cached_tokens": state.cached_tokens,
        "completion_tokens": state.completion_tokens,
        "cache_blocks": len(state.cache),
        "models": models,
    }
