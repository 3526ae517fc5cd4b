"""What should an operator know at a glance? The document of `/status`. Pure.

Cheap enough to be asked for once a second; docs/metrics.md has its fields.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from arkway.ledger.book_io import BookState
from arkway.routing.report import AccountReport
from arkway.runtime.accounts_view import BROKEN, AccountState
from arkway.runtime.process_io import Process
from arkway.telemetry import families as f
from arkway.telemetry.faults import Faults
from arkway.telemetry.meter import Meter
from arkway.telemetry.recent import (
    CLASS,
    KEEP_S,
    WINDOW_S,
    Counters,
    Recent,
    Totals,
    percentiles,
    totals,
)

# When something needs a person's eye.
MANY_FAILED = 0.05
ENOUGH_CALLS = 20
LATE_S = 0.25
LITTLE_DISK_BYTES = 1024 * 1024 * 1024
MANY_FDS = 0.9
FULL = 0.9

_NANO = 1e9


class Facts(msgspec.Struct, frozen=True):
    """What the document is made of, beside counts."""

    state: str
    version: str
    uptime_s: float
    now_s: float  # monotonic
    unix_ms: int
    calls_in_flight: int
    streams: int
    connections: int
    revision: int
    last_lag_s: float
    loop_lag_s: float
    accounts: list[AccountState]
    local: list[bool]  # the stand-in's servers; empty: none
    book: BookState
    process: Process | None  # the last look; None: none yet
    home: str = ""  # whose gateway this is
    pid: int = 0


def status(facts: Facts, meter: Meter, recent: Recent, faults: Faults) -> dict[str, object]:
    """Return the document."""
    counters = meter.counters()
    now = totals(counters)
    over_s, added = recent.change(facts.now_s, now, WINDOW_S)
    minute_s, minute = recent.change(facts.now_s, now, KEEP_S)
    labels = {meter.account(each.account) for each in facts.accounts} - {f.OTHER}
    wrong = faults.of(labels, facts.now_s)
    calls = [each for each in meter.recent if facts.now_s - each[0] <= KEEP_S]
    return {
        "state": facts.state,
        "version": facts.version,
        "home": facts.home,
        "pid": facts.pid,
        "time_unix_ms": facts.unix_ms,
        "uptime_s": round(facts.uptime_s, 1),
        "revision": facts.revision,
        "last_change_lag_s": facts.last_lag_s,
        "calls_in_flight": facts.calls_in_flight,
        "streams": facts.streams,
        "connections": facts.connections,
        "rates": _rates(over_s, added),
        "time_to_first_token_s": percentiles(first for _, _, first in calls if first),
        "call_duration_s": percentiles(took for _, took, _ in calls),
        "cache_hit_ratio": _hit_ratio(minute),
        "accounts": [
            {
                **_account(each, counters, meter),
                "errors": wrong.get(meter.account(each.account), []),
            }
            for each in facts.accounts
        ],
        "ledger": {
            "is_open": facts.book.is_open,
            "waiting": facts.book.waiting,
            "unfiled": facts.book.unfiled,
            "last_commit_s": round(facts.book.last_commit_s, 6),
        },
        "event_loop_lag_s": round(facts.loop_lag_s, 6),
        "attention": list(attention(facts, minute if minute_s else {})),
    }


def attention(facts: Facts, minute: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """Yield what needs a person, the worst first. Shapes: what: a word; detail: a sentence."""
    for what, holds, detail in (
        *_of_node(facts),
        *_of_accounts(facts.accounts),
        *_of_traffic(minute),
    ):
        if holds():
            yield {"what": what, "detail": detail}


_Check = tuple[str, Callable[[], bool], str]


def _of_node(facts: Facts) -> Iterator[_Check]:
    process = facts.process
    yield "ledger_closed", lambda: not facts.book.is_open, "Calls are refused: see the log."
    yield (
        "local_model_down",
        lambda: bool(facts.local) and not all(facts.local),
        "A server of the stand-in does not run; it is started again.",
    )
    yield (
        "event_loop_late",
        lambda: facts.loop_lag_s > LATE_S,
        f"The event loop was late by {facts.loop_lag_s:.2f} s: this core is full.",
    )
    if process is not None:
        free, fds = process.disk_free_bytes, process.open_fds
        yield (
            "disk_nearly_full",
            lambda: free is not None and free < LITTLE_DISK_BYTES,
            "Less than 1 GiB is left for the ledger.",
        )
        yield (
            "descriptors_nearly_used",
            lambda: fds is not None and fds > process.max_fds * MANY_FDS,
            f"{fds} of {process.max_fds} file descriptors are open.",
        )


def _of_accounts(accounts: list[AccountState]) -> Iterator[_Check]:
    ejected = [each.account for each in accounts if each.is_out]
    broken = [f"{each.account}: {each.reason}" for each in accounts if each.state == BROKEN]
    full = [each.account for each in accounts if (each.utilisation or 0) > FULL]
    yield "no_account", lambda: not accounts, "No account is configured."
    yield (
        "all_accounts_ejected",
        lambda: bool(accounts) and len(ejected) == len(accounts),
        "Every account has failed; each call still tries them.",
    )
    yield "account_broken", lambda: bool(broken), ", ".join(broken)
    yield "account_ejected", lambda: 0 < len(ejected) < len(accounts), ", ".join(ejected)
    yield "account_full", lambda: bool(full), ", ".join(full)


def _of_traffic(minute: Mapping[str, int]) -> Iterator[_Check]:
    calls, failed = minute.get("calls", 0), minute.get("failed", 0)
    yield (
        "many_calls_fail",
        lambda: calls >= ENOUGH_CALLS and failed > calls * MANY_FAILED,
        f"{failed} of {calls} calls of the last minute failed.",
    )


def _rates(over_s: float, added: Totals) -> dict[str, object]:
    """Return what happened a second; zeros while there is nothing to compare with."""

    def rate(*names: str) -> float:
        return round(sum(added.get(name, 0) for name in names) / over_s, 3) if over_s else 0.0

    costs = [name for name in added if name.startswith("cost_")]
    classes = [name for name in added if name.startswith(CLASS) and added[name]]
    return {
        "over_s": round(over_s, 1),
        "calls_per_s": rate("calls"),
        "failed_per_s": rate("failed"),
        "errors_per_s": rate("errors"),
        "failed_attempts_per_s": {name.removeprefix(CLASS): rate(name) for name in classes},
        "input_tokens_per_s": rate("input", "cached_input", "cache_creation"),
        "cached_input_tokens_per_s": rate("cached_input"),
        "output_tokens_per_s": rate("output", "reasoning"),
        "cost_per_s": {
            name.removeprefix("cost_"): round(added[name] / _NANO / over_s, 9) for name in costs
        },
    }


def _hit_ratio(minute: Mapping[str, int]) -> float | None:
    """Return the share of input that came from caches in the last minute; None: no input."""
    cached = minute.get("cached_input", 0)
    whole = minute.get("input", 0) + cached + minute.get("cache_creation", 0)
    return round(cached / whole, 4) if whole else None


def _account(state: AccountState, counters: Counters, meter: Meter) -> dict[str, object]:
    name = meter.account(state.account)
    by_outcome: dict[str, int] = {}
    for (account, outcome, _), count in counters[f.ATTEMPTS.name].items():
        if account == name:
            by_outcome[outcome] = by_outcome.get(outcome, 0) + count
    return {
        "account": state.account,
        "state": state.state,
        "in_flight": state.in_flight,
        "utilisation": state.utilisation,
        "waiting": state.waiting,
        "limits": state.limits,
        "cached_share": state.cached_share,
        "reason": state.reason,
        "returns_in_s": state.returns_in_s,
        "attempts": by_outcome,
        "ejections": counters[f.EJECTIONS.name].get((name,), 0),
        "models": [_model(each) for each in state.models],
    }


def _model(report: AccountReport) -> dict[str, object]:
    """Return how an account does for one model: each limit that is known, and how full it is."""
    uses = {"requests": report.requests, "tokens": report.tokens, "in_flight": report.in_flight}
    return {
        "model": report.model,
        "state": report.state.value,
        "reason": report.reason,
        "returns_in_s": report.returns_in_s,
        **{
            name: {"used": use.used, "limit": use.limit, "is_learned": use.is_learned}
            for name, use in uses.items()
        },
        "waiting": report.waiting,
        "limited": report.limited,
        "cached_share": round(report.cached_share, 4),
        "ttft_s": round(report.ttft_s, 4),
    }
