import msgspec
import pytest

from arkway.ledger.book_io import BookState
from arkway.model.ids import AccountId
from arkway.routing.health import State
from arkway.routing.report import AccountReport, Use
from arkway.runtime.accounts_view import AccountState
from arkway.runtime.process_io import Process
from arkway.runtime.status import ENOUGH_CALLS, Facts, attention, status
from arkway.telemetry.families import MAX_ACCOUNTS, OTHER
from arkway.telemetry.faults import FaultCount, Faults
from arkway.telemetry.meter import Meter
from arkway.telemetry.recent import Recent, totals
from support.telemetry import call, failed_attempt, served_attempt

BOOK = msgspec.convert(
    {
        field.name: 0
        for field in msgspec.structs.fields(BookState)
        if field.name not in ("is_open", "last_commit_s")
    }
    | {"is_open": True, "last_commit_s": 0.0005},
    BookState,
)
UP = AccountState("a", "up", 3, 0.3)
FACTS = Facts(
    state="ready",
    version="1",
    uptime_s=5.0,
    now_s=100.0,
    unix_ms=1,
    calls_in_flight=3,
    streams=2,
    connections=4,
    revision=7,
    last_lag_s=0.1,
    loop_lag_s=0.001,
    accounts=[UP, AccountState("b", "up", 0)],
    local=[],
    book=BOOK,
    process=Process(1.0, 1000, 1, 10, 1 << 40),
)


def whats(minute=None, **changes):
    facts = msgspec.structs.replace(FACTS, **changes)
    return [each["what"] for each in attention(facts, minute or {})]


def test_rates_are_of_the_last_seconds_and_percentiles_of_real_calls():
    meter, recent = Meter(), Recent()
    recent.note(90.0, totals(meter.counters()))
    for number in range(20):
        only = served_attempt(first_token_ms=100 + number)
        meter.on_ordinary(only.intent, only.end, True, 99.0, 99.5)
    meter.on_call(call(failed_attempt("b"), outcome="error", status=502, ended_s=99.0))
    meter.on_ejected("b")
    meter.on_error(502, "upstream_error", "")

    document = status(FACTS, meter, recent, Faults())

    assert document["rates"] == {
        "over_s": 10.0,
        "calls_per_s": 2.1,
        "failed_per_s": 0.1,
        "errors_per_s": 0.1,
        "failed_attempts_per_s": {"transient": 0.1},
        "input_tokens_per_s": 300.0,
        "cached_input_tokens_per_s": 100.0,
        "output_tokens_per_s": 50.0,
        "cost_per_s": {"CNY": 0.000014},
    }
    assert document["time_to_first_token_s"] == {
        "p50": 0.109, "p95": 0.118, "p99": 0.119, "count": 20,
    }  # fmt: skip
    assert document["cache_hit_ratio"] == 0.3333
    first, second = document["accounts"]
    assert (first["attempts"], first["utilisation"]) == ({"completed": 20}, 0.3)
    assert (second["attempts"], second["ejections"]) == ({"refused": 1}, 1)
    msgspec.json.encode(document)


def test_calls_of_long_ago_are_in_no_percentile():
    meter = Meter()
    only = served_attempt(first_token_ms=100)
    meter.on_ordinary(only.intent, only.end, True, 1.0, 2.0)

    assert status(FACTS, meter, Recent(), Faults())["time_to_first_token_s"]["count"] == 0


def test_when_all_is_well_nothing_needs_attention():
    assert whats({"calls": 1000, "failed": 10}) == []


@pytest.mark.parametrize(
    ("what", "minute", "changes"),
    [
        ("ledger_closed", None, {"book": msgspec.structs.replace(BOOK, is_open=False)}),
        ("local_model_down", None, {"local": [True, False]}),
        ("event_loop_late", None, {"loop_lag_s": 0.5}),
        ("disk_nearly_full", None, {"process": Process(1.0, 1000, 1, 10, 1000)}),
        ("descriptors_nearly_used", None, {"process": Process(1.0, 1000, 1, 901, 1 << 40)}),
        ("no_account", None, {"accounts": []}),
        ("all_accounts_ejected", None, {"accounts": [AccountState("a", "ejected", 0)]}),
        ("account_ejected", None, {"accounts": [UP, AccountState("b", "ejected", 0)]}),
        ("account_full", None, {"accounts": [AccountState("a", "up", 10, 0.95)]}),
        ("many_calls_fail", {"calls": ENOUGH_CALLS, "failed": 2}, {}),
    ],
)
def test_each_trouble_is_named(what, minute, changes):
    assert whats(minute, **changes) == [what]


def test_a_broken_account_is_named_with_its_reason():
    broken = AccountState("b", "broken", reason="AuthenticationError")

    assert whats(accounts=[UP, broken]) == ["account_broken", "account_ejected"]
    (first, _) = attention(msgspec.structs.replace(FACTS, accounts=[UP, broken]), {})
    assert first["detail"] == "b: AuthenticationError"
    assert whats(accounts=[UP, AccountState("b", "partly")]) == []


def test_what_the_system_does_not_say_is_no_trouble():
    assert whats(process=Process(1.0, 1000)) == []
    assert whats(process=None) == []


def test_a_few_calls_are_no_statistics():
    assert whats({"calls": ENOUGH_CALLS - 1, "failed": ENOUGH_CALLS - 1}) == []


def test_each_limit_of_each_model_is_told():
    report = AccountReport(
        AccountId("a"), "m", State.OK, "", None, False,
        Use(3, 97.0, is_learned=True), Use(10, None), Use(1, 8), 2, 0.0, 4, 0.5, 0.25, 1.0, True, 0,
    )  # fmt: skip
    facts = msgspec.structs.replace(FACTS, accounts=[AccountState("a", "up", models=(report,))])
    (account,) = status(facts, Meter(), Recent(), Faults())["accounts"]

    (model,) = account["models"]
    assert model["requests"] == {"used": 3, "limit": 97.0, "is_learned": True}
    assert model["tokens"] == {"used": 10, "limit": None, "is_learned": False}
    assert (model["model"], model["state"], model["waiting"], model["limited"]) == ("m", "ok", 2, 4)


def test_what_went_wrong_at_an_account_is_told_with_it():
    faults = Faults()
    faults.add(("a", "pool_limited", "ServerOverloaded"), 90.0)

    first, second = status(FACTS, Meter(), Recent(), faults)["accounts"]

    assert first["errors"] == [FaultCount("pool_limited", "ServerOverloaded", 1, 1)]
    assert second["errors"] == []


def test_accounts_beyond_the_labels_share_no_errors():
    faults, meter = Faults(), Meter()
    for number in range(MAX_ACCOUNTS):
        meter.account(f"earlier {number}")
    faults.add((OTHER, "transient", "timeout"), 90.0)

    first, _ = status(FACTS, meter, Recent(), faults)["accounts"]

    assert first["errors"] == []
