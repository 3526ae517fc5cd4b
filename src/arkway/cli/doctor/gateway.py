"""How does the running gateway find itself? What `/status` says, judged."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from arkway import __version__
from arkway.cli.doctor.finding import Finding, ok, problem, warning
from arkway.cli.live import NoAnswer, OpsPort, ask_status, is_of

CHECK = "gateway"
WITHIN_S = 3.0
LATE_S = 1.0  # a change of the store is in force within this
# What `attention` says that other lines say too, account by account.
_SAID_ELSEWHERE = ("account_broken", "account_ejected", "all_accounts_ejected", "account_full")
_STATE_ADVICE = {
    "starting": "wait: the embedded model takes seconds; then look at its log",
    "draining": "it is stopping: start it again, or wait for whoever does",
    "no account": "add one: `arkway accounts add`; or enable one: `arkway accounts enable NAME`",
    "ledger closed": "its disk is full or fails: see `disk` and `ledger` here, and the log",
}
_ATTENTION_ADVICE = {
    "event_loop_late": "this core is full: run a second node behind a load balancer",
    "descriptors_nearly_used": "raise LimitNOFILE, and see who holds so many connections",
    "many_calls_fail": "`arkway top` has the classes of error, `arkway explain ID` a call's story",
    "local_model_down": "see local_model_down in the log",
}


class Gateway(msgspec.Struct, frozen=True):
    """What answers at the ops port. `status`: None: nobody, or no gateway of this home."""

    at: OpsPort
    status: dict[str, Any] | None = None
    failure: str = ""
    is_refused: bool = False  # nobody listens there
    other_home: str = ""  # whose gateway it is instead

    @property
    def pid(self) -> int | None:
        """Return its process; None: none runs."""
        return None if self.status is None else int(self.status["pid"])

    @property
    def accounts(self) -> dict[str, dict[str, Any]]:
        """Return its accounts by name; empty: none runs."""
        return {} if self.status is None else {a["account"]: a for a in self.status["accounts"]}


def look(at: OpsPort, home: Path) -> Gateway:
    """Ask whoever is there."""
    if at.port == 0:
        return Gateway(at, None, "server.ops_port is 0: it takes a free port", is_refused=True)
    try:
        status = ask_status(at, WITHIN_S)
    except NoAnswer as none:
        return Gateway(at, None, str(none), none.is_refused)
    if not is_of(status, home):
        return Gateway(at, None, other_home=str(status.get("home", "unknown")))
    return Gateway(at, status)


def judge(found: Gateway, revision: int) -> Iterator[Finding]:
    """Yield how it does. Shapes: revision: of the store, as it was just read; 0: it was not."""
    status = found.status
    if status is None:
        yield _none(found)
        return
    state, version = status["state"], status["version"]
    text = f"{found.at.url}: {state}, version {version}, up {_span(status['uptime_s'])}"
    if state != "ready":
        yield problem(CHECK, text, _STATE_ADVICE.get(state, "see its log"))
    else:
        yield ok(CHECK, f"{text}, {status['calls_in_flight']} calls under way")
    if version != __version__:
        yield warning(CHECK, f"it runs {version}, installed is {__version__}", "restart it")
    if revision and status["revision"] != revision:
        text = f"the store is at revision {revision}, and it serves {status['revision']}"
        yield warning(CHECK, text, "ask again in a second; then see `configuration` in its log")
    lag_s = status["last_change_lag_s"]
    if lag_s > LATE_S:
        yield warning(
            CHECK,
            f"its last change took {lag_s:.1f} s to be in force",
            "it was stopped, its core is full, or the clocks of two machines differ",
        )
    for each in status["attention"]:
        if each["what"] not in _SAID_ELSEWHERE and each["what"] not in (
            "ledger_closed",
            "no_account",
        ):
            advice = _ATTENTION_ADVICE.get(each["what"], "docs/operations.md")
            yield warning(CHECK, each["detail"].rstrip("."), advice)


def _none(found: Gateway) -> Finding:
    at = found.at.url
    if found.other_home:
        return problem(
            CHECK,
            f"{at} is of another gateway: it serves the home {found.other_home}",
            "set ARKWAY_HOME to that, or give this one ports of its own",
        )
    if found.is_refused:
        return ok(CHECK, f"none runs ({at}: {found.failure})")
    return problem(
        CHECK,
        f"{at}: {found.failure}",
        "if it is the gateway, it hangs: its log, then a restart; if not, choose another ops_port",
    )


def judge_accounts(found: Gateway, enabled: Iterable[str]) -> Iterator[Finding]:
    """Yield how the running gateway finds each account that it should have."""
    live = found.accounts
    if found.status is None:
        return
    for name in enabled:
        check = f"account {name}"
        if name not in live:
            yield problem(
                check,
                "the running gateway has left it out",
                "its variable is not in the gateway's environment: restart it with it, or "
                f"`arkway accounts edit {name} --key-stdin`",
            )
        else:
            yield from _account(check, live[name])


def _account(check: str, now: Mapping[str, Any]) -> Iterator[Finding]:
    state, reason = now["state"], now["reason"]
    full = [f"{share:.0%} of {each}" for each, share in now["limits"].items() if share > 0.9]
    if state == "broken":
        name = now["account"]
        yield problem(
            check,
            f"out until you act: {reason}",
            "put that right (credential, balance, model access), then "
            f"`arkway accounts test {name}`, which brings it back if it answers",
        )
    elif state in ("ejected", "partly"):
        some = "for some models " if state == "partly" else ""
        back_s = now["returns_in_s"]
        back = f"; it is tried again in {back_s:.0f} s" if back_s is not None else ""
        yield warning(
            check, f"out {some}after failures: {reason}{back}", "see its errors: `arkway top`"
        )
    elif state == "draining":
        yield ok(check, f"draining, {now['in_flight']} calls left")
    elif full:
        yield warning(
            check,
            f"nearly full: {', '.join(full)}",
            "add an account, or raise its limits if the upstream allows more",
        )
    else:
        yield ok(check, f"healthy, {now['in_flight']} calls under way")


def _span(length_s: float) -> str:
    if length_s < 120:
        return f"{length_s:.0f} s"
    if length_s < 7200:
        return f"{length_s / 60:.0f} min"
    return f"{length_s / 3600:.0f} h" if length_s < 172_800 else f"{length_s / 86_400:.0f} days"
