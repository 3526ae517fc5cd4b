import csv
import io
import json
import re
from pathlib import Path

import pytest

from arkway.console.live import AccountNow, Live, Picture, Point, Use
from arkway.console.texts import Texts, catalogue
from arkway.console.views import accounts, calls, keys, lab, overview, playground, usage
from arkway.model.ids import uuid7_head
from arkway.runtime import status

t = Texts("en")
NANO = 10**9


def line(**more):
    base = dict.fromkeys(
        ("attempts", "settled", "estimated", "unknown", "uncached", "cached", "created", "output",
         "reasoning", "cost_nano"), 0
    )  # fmt: skip
    names = {"day": "", "model": "", "key": "", "tenant": "", "account": "", "currency": "CNY"}
    return {**names, **base, "cache_hit_rate": 0.0, **more}


# -- overview --------------------------------------------------------------------------------------


def test_what_affinity_saved_is_the_price_gap_of_what_chance_would_have_missed():
    prices = {"m": {"input": "0.80", "cached_input": "0.16"}}
    used = [line(model="m", cached=1_000_000), line(model="unpriced", cached=5)]
    assert overview.saved_nano(used, prices, 4) == 640_000_000 * 3 // 4
    assert overview.saved_nano(used, prices, 1) == 0, "one account is its own pool"
    assert overview.saved_nano([], prices, 4) == 0


def test_failing_calls_colour_their_tile():
    tones = [
        overview.now_tiles(t, Live(source="status", calls_per_s=100.0, errors_per_s=errors))[2][
            "tone"
        ]
        for errors in (0.0, 2.0, 8.0)
    ]
    assert tones == ["", "warn", "bad"]


def test_refused_requests_are_a_part_of_what_was_asked():
    now = Live(source="status", calls_per_s=2.0, errors_per_s=10.0, refused_per_s=8.0)
    tile = overview.now_tiles(t, now)[2]
    assert (tile["value"], tile["tone"]) == ("100.0 %", "bad")


def test_graphs_have_gaps_where_nothing_was_measured():
    points = [
        Point(0, 1.0, 2.0, 3.0, (None, 0.5, None)),
        Point(1000, 1.0, 2.0, 3.0, (0.1, 0.5, 1.0)),
    ]
    made = overview.first_token_chart(t, points)
    assert [each["data"] for each in made["series"]] == [[None, 100], [500, 500], [None, 1000]]
    assert overview.rate_chart(t, points)["xAxis"]["data"] == ["00:00:00", "00:00:01"]


def test_what_needs_somebody():
    down = Live(
        source="calls", state="unreachable", attention=(("account_full", "a"), ("new_word", "x"))
    )
    titles = [title for _, title, _, _ in overview.attention(t, down, [], [])]
    assert titles == [
        "The gateway does not answer.", "Nearly full:", "new_word",
        "No account of your own yet.", "Nobody has a key yet.",
    ]  # fmt: skip
    assert overview.attention(t, Live(), [{"is_draining": False, "enabled": True}], [{}]) == []


def test_only_the_newest_calls_and_the_most_frequent_errors_are_shown():
    picture = Picture(calls=[call(request_id=f"{n:036d}") for n in range(50)])
    assert len(overview.call_rows(t, picture, {})) == overview.RECENT_CALLS
    rows = overview.error_rows(t, {("429", "a"): 1.0, ("500", "b"): 9.0})
    assert [row["cells"][0]["text"] for row in rows] == ["b", "a"]


# -- accounts --------------------------------------------------------------------------------------


def account(**more):
    base = {
        "name": "a", "dialect": "ark", "base_url": "https://x/api/v3", "enabled": True,
        "is_draining": False, "credential": "store", "requests_per_min": 100,
        "tokens_per_min": None, "in_flight": None,
    }  # fmt: skip
    return {**base, **more}


def test_what_an_operator_said_goes_before_what_was_found():
    out = [AccountNow("a", state="ejected", reason="failures", returns_in_s=20.0)]
    assert accounts.state(t, account(enabled=False), out)["text"] == "Disabled"
    assert accounts.state(t, account(is_draining=True), out)["text"] == "Draining"
    found = accounts.state(t, account(), out)
    assert (found["text"], found["sub"]) == ("Ejected", "it failed too often · back in 20 s")
    assert accounts.state(t, account(), [AccountNow("a", state="up")])["text"] == "Up"
    assert accounts.state(t, account(), [])["text"] == "Not known"


def test_a_limit_is_the_one_in_force():
    now = [AccountNow("a", uses=(Use("requests", 40, 80.0, is_learned=True), Use("tokens", 5)))]
    made = accounts.meters(t, account(), now)
    assert [(each["share"], each["text"]) for each in made] == [(0.5, "40 / 80")]
    assert (made[0]["what"], "learned" in made[0]["title"]) == ("req/min*", True)
    assert [each["text"] for each in accounts.meters(t, account(), [])] == ["100"]


def test_of_several_models_the_fullest_is_shown():
    now = [
        AccountNow("a", model, uses=(Use("requests", used, 100.0), Use("tokens", 9 - used, 10.0)))
        for model, used in (("m", 2), ("n", 8), ("o", 5))
    ]
    made = accounts.meters(t, account(), now)
    assert [(each["text"], each["label"]) for each in made] == [
        ("8 / 100", "Requests a minute, n"), ("7 / 10", "Tokens a minute, m"),
    ]  # fmt: skip


def test_a_line_has_the_sums_of_this_day_and_the_buttons_that_are_offered():
    used = [
        line(account="a", cached=75, uncached=25, attempts=4, cost_nano=NANO),
        line(account="b"),
    ]
    (row,) = accounts.rows(t, [account()], Live(), used, ["drain", "enable"])
    assert [cell["text"] for cell in row["cells"][3:]] == ["–", "75.0 %", "¥1.00"]
    assert row["cells"][5]["sub"] == "4 attempts"
    assert [each["name"] for each in row["acts"]] == ["drain"]
    (row,) = accounts.rows(t, [account(is_draining=True)], Live(), used, ["drain", "enable"])
    assert [each["name"] for each in row["acts"]] == ["enable"]


def test_a_form_of_an_account_makes_what_the_api_takes():
    values = {each["name"]: each["value"] for each in accounts.fields(t, None)}
    body = accounts.body({**values, "name": "b", "in_flight": "8", "models": "m = ep-1"})
    assert body["models"] == {"m": "ep-1"}
    assert (body["in_flight"], body["requests_per_min"], body["weight"]) == (8, None, 1)
    assert "credential" not in body, "an empty field keeps the one there is"


@pytest.mark.parametrize(
    ("request_id", "is_new"),
    [
        (f"{uuid7_head(1_000_000)}000-8000-000000000000", True),
        (f"{uuid7_head(900_000)}000-8000-000000000000", False),
        (f"{uuid7_head(1_100_000)}000-8000-000000000000", False),
        ("no id of ours", False),
        ("", False),
    ],
)
def test_only_a_call_of_this_minute_may_be_on_its_way(request_id, is_new):
    assert calls.is_new(request_id, 1_000_500) is is_new


# -- keys ------------------------------------------------------------------------------------------


def key(**more):
    base = {
        "id": "key_1", "name": "k", "tenant": "default", "enabled": True, "expires_unix_s": None,
        "models": [], "allowed_networks": [], "denied_networks": [], "requests_per_min": None,
        "tokens_per_min": None, "concurrency": None, "total_tokens": None, "budget": None,
        "budget_nano": None, "budget_period": "month", "on_disconnect": "cancel",
        "revoked_unix_ms": None,
    }  # fmt: skip
    return {**base, **more}


def test_budgets_that_are_nearly_gone_are_told_the_worst_first():
    listed = [
        key(id="a", name="a", budget_nano=100, budget_period="day"),
        key(id="b", name="b", budget_nano=100),
        key(id="c", name="c", budget_nano=1000),
        key(id="d", name="d", budget_nano=100, enabled=False),
        key(id="e", name="e", budget_nano=100, revoked_unix_ms=1),
        key(id="f", name="f"),
    ]
    month = {name: {"cost_nano": 97} for name in "bcdef"}
    used = {"day": {"a": {"cost_nano": 80}}, "month": month, "total": {}}

    spent = keys.nearly_spent(listed, used)
    assert spent == [("b", 0.97), ("a", 0.8)]
    (told,) = overview.attention(t, Live(), [{"is_draining": False, "enabled": True}], [{}], spent)
    assert told == ("bad", "Budgets nearly spent:", "b 97.0 %, a 80.0 %", "/keys")


@pytest.mark.parametrize(
    ("more", "text", "tone"),
    [
        ({}, "Active", "good"),
        ({"revoked_unix_ms": 1}, "Revoked", "bad"),
        ({"enabled": False}, "Disabled", ""),
        ({"expires_unix_s": 999}, "Expired", "bad"),
        ({"expires_unix_s": 1000 + 86_400}, "Active", "warn"),
        ({"expires_unix_s": 1000 + 864_000}, "Active", "good"),
    ],
)
def test_the_state_of_a_key(more, text, tone):
    found = keys.state(t, key(**more), 1000.0)
    assert (found["text"], found["tone"]) == (text, tone)


def test_a_budget_is_shown_by_its_own_period():
    used = {"day": {}, "total": {}, "days": {}, "month": {"key_1": line(cost_nano=3 * NANO)}}
    row = keys.row(t, key(budget_nano=4 * NANO), used, 0.0, acts=True)
    (meter,) = row["cells"][3]["meters"]
    assert (meter["text"], meter["share"], meter["what"]) == ("¥3.00 / ¥4.00", 0.75, "this month")
    assert [each["name"] for each in row["acts"]] == ["edit", "rotate", "revoke"]
    assert keys.row(t, key(), used, 0.0, acts=False)["acts"] == []
    assert keys.row(t, key(revoked_unix_ms=1), used, 0.0, acts=True)["acts"] == []


def test_periods_begin_where_the_gateways_do():
    today = "2026-03-15"
    assert [keys.since(period, today) for period in ("day", "month", "total", "days")] == [
        "2026-03-15", "2026-03-01", "", "2026-02-14"
    ]  # fmt: skip


def test_a_budget_burns_down_over_the_days_of_its_month():
    days = [line(day="2026-02-02", cost_nano=NANO), line(day="2026-02-04", cost_nano=2 * NANO)]
    made = keys.burn(t, key(budget_nano=10 * NANO), days, "2026-02-05")
    left, even = (each["data"] for each in made["series"])
    assert len(left) == len(even) == 28
    assert left[:6] == [10.0, 9.0, 9.0, 7.0, 7.0, None]
    assert (even[0], even[-1]) == (10.0, 0.0)
    assert keys.burn(t, key(), days, "2026-02-05") is None
    total = keys.burn(t, key(budget_nano=NANO, budget_period="total"), [], "2026-02-05")
    assert len(total["series"][0]["data"]) == 1


def test_saving_an_unchanged_form_changes_nothing():
    there = key(
        expires_unix_s=1_793_491_200, budget="50", budget_nano=50 * NANO, requests_per_min=5
    )
    values = {each["name"]: each["value"] for each in keys.fields(t, there, [], [])}
    assert keys.change(values, there) == {}
    assert keys.change({**values, "expires": ""}, there) == {"expires": "none"}
    assert keys.change({**values, "budget": ""}, there) == {"budget": None}
    assert keys.change({**values, "requests_per_min": "6"}, there) == {"requests_per_min": 6}


# -- usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        (("", ""), ("2026-01-02", "2026-01-31")),
        (("2026-01-31", "2026-01-01"), ("2026-01-01", "2026-01-31")),
        (("2020-01-01", "2026-01-31"), ("2025-01-31", "2026-01-31")),
        (("nonsense", "2026-13-01"), ("2026-01-02", "2026-01-31")),
    ],
)
def test_a_range_is_a_year_at_most(asked, days):
    assert usage.days_between(*asked, "2026-01-31") == days


def test_days_without_use_are_zeros_in_a_chart():
    days = [
        line(day="2026-01-01", cached=1, uncached=1),
        line(day="2026-01-03", cached=3, uncached=1),
    ]
    made = usage.token_chart(t, days)
    assert made["xAxis"]["data"] == ["01-01", "01-02", "01-03"]
    assert [each["data"] for each in made["series"]][:2] == [[1, 0, 1], [1, 0, 3]]
    assert usage.hit_chart(t, days)["series"][0]["data"] == [50.0, None, 75.0]
    assert usage.token_chart(t, [])["xAxis"]["data"] == []


def test_csv_is_read_back_and_computes_nothing():
    lines = [
        {**line(day="2026-01-01", key="key_1", model='=1+"x",\n', settled=2), "cost": "0.5"},
        {**line(day="2026-01-01", key="key_2", tenant="@cmd"), "cost": "-1"},
    ]
    text = usage.csv_head() + usage.csv_lines(lines, {"key_1": "shop"})
    one, two = csv.DictReader(io.StringIO(text, newline=""))
    assert (one["key"], one["model"], one["settled"]) == ("shop", '\'=1+"x",\n', "2")
    assert (two["key"], two["tenant"], two["cost"]) == ("key_2", "'@cmd", "'-1")


# -- calls -----------------------------------------------------------------------------------------


def call(**more):
    base = {
        "request_id": "019a2124-ee59-7c98-8efd-49192b5c3ca2", "at_ms": 1000, "key": "key_1",
        "tenant": "x", "model": "m", "account": "a", "attempts": 1, "outcome": "completed",
        "code": "", "affinity": "home", "uncached": 10, "cached": 30, "created": 0, "output": 5,
        "reasoning": 1, "cost_nano": 100, "currency": "CNY", "first_token_ms": 12, "total_ms": 90,
    }  # fmt: skip
    return {**base, **more}


def attempt(seq, intent, end):
    return {"seq": seq, "intent": intent, "end_seq": seq + 1 if end else None, "end": end}


def test_a_call_that_runs_has_no_figures_yet():
    shown = calls.row(t, call(outcome="running", uncached=0, cached=0, output=0, reasoning=0), {})
    assert [cell["text"] for cell in shown["cells"][6:9]] == ["\u2013"] * 3
    assert calls.row(t, call(), {"key_1": "shop"})["cells"][4]["text"] == "shop"


def test_attempts_are_on_one_scale():
    first = attempt(
        1,
        {"attempt": 1, "at_ms": 1000, "account": "a"},
        {"at_ms": 1100, "outcome": "refused", "code": "x", "total_ms": 100},
    )
    second = attempt(
        3,
        {"attempt": 2, "at_ms": 1100, "account": "b"},
        {"at_ms": 1500, "outcome": "completed", "first_token_ms": 200, "total_ms": 500},
    )
    one, two = calls.spans(t, [first, second])
    assert one["parts"] == [{"kind": "bad", "from": 0.0, "share": 0.2}]
    assert two["parts"] == [
        {"kind": "wait", "from": 0.2, "share": 0.2},
        {"kind": "answer", "from": 0.4, "share": 0.6},
    ]
    assert calls.spans(t, [attempt(1, first["intent"], None)])[0]["parts"] == []


def test_a_bill_multiplies_as_the_ledger_does():
    price = {"input": "0.80", "cached_input": "0.16", "output": "2", "cache_creation": None}
    end = {
        "kind": "settle",
        "price": 1,
        "uncached": 1751,
        "created": 10,
        "output": 567,
        "cost_nano": 7,
    }
    _, rows = calls.bill(t, [attempt(1, {"attempt": 1}, end)], {1: price})
    shown = [[cell["text"] for cell in row["cells"]] for row in rows]
    assert shown[0] == ["Input", "1\u202f751", "0.8 / M", "0.0014008"]
    assert shown[1][2] == "0.8 / M", "cache creation costs as input unless it has a price"
    assert shown[2][3] == "0.001134"
    assert shown[3][3] == "0.000000007", "the total is what was booked"
    assert calls.bill(t, [attempt(1, {"attempt": 1}, {"kind": "void"})], {})[1] == []
    _, rows = calls.bill(t, [attempt(1, {"attempt": 1}, end)], {})
    assert rows[0]["cells"][3]["text"] == "\u2013", "a price that is not known is not made up"


def test_ledger_rows_are_lines():
    text = calls.ledger_rows([attempt(7, {"a": 1}, {"b": "<x>"}), attempt(9, {"c": 1}, None)])
    assert [row.split()[0] for row in text.splitlines()] == ["7", "8", "9"]


# -- playground ------------------------------------------------------------------------------------


def values(**more):
    shown = playground.fields(t, ["m"], "play-1")
    return {**{each["name"]: each["value"] for each in shown}, **more}


def test_empty_fields_are_absent():
    body = playground.request(values(stream=False), [{"role": "user", "content": "x"}])
    assert body == {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def test_every_parameter_can_be_sent():
    body = playground.request(
        values(
            system="be brief", temperature="0.7", n="2", seed="-3", stop="a, b",
            thinking="disabled", tools='[{"type": "function"}]', tool_choice="auto", logprobs=True,
            user="u",
        ),
        [],
    )  # fmt: skip
    assert body["messages"] == [{"role": "system", "content": "be brief"}]
    assert (body["temperature"], body["n"], body["seed"], body["stop"]) == (0.7, 2, -3, ["a", "b"])
    assert body["thinking"] == {"type": "disabled"}
    assert body["tools"] == [{"type": "function"}]
    assert (body["tool_choice"], body["logprobs"], body["user"]) == ("auto", True, "u")
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("field", "text"), [("temperature", "warm"), ("tools", "[{"), ("n", "two")]
)
def test_what_cannot_be_sent_names_its_field(field, text):
    with pytest.raises(playground.BadValue) as caught:
        playground.request(values(**{field: text}), [])
    assert caught.value.field == field


def test_the_same_call_in_four_tools_carries_the_same_body():
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": 'it\'s `q` "x"'}],
        "stream": True,
    }
    curl = playground.curl("http://x/v1", body, "c-1")
    assert "'\\''" in curl
    assert 'X-Conversation-Id: c-1"' in curl
    code = compile(
        playground.python("http://x/v1", {**body, "thinking": {"type": "auto"}}, "c-1"), "x", "exec"
    )
    assert "chat" in code.co_names
    assert 'extra_body={"thinking": {"type": "auto"}}' in playground.python(
        "u", {**body, "thinking": {"type": "auto"}}, ""
    )
    assert "headers" not in playground.node("u", body, "")
    assert '` + "`" + `' in playground.go("u", body, "c")
    assert "ARKWAY_API_KEY" in playground.go("u", body, "")


def test_the_python_example_sends_the_body(monkeypatch):
    import openai

    sent = {}

    class Completions:
        @staticmethod
        def create(**arguments):
            sent.update(arguments)
            return []

    class Client:
        def __init__(self, **_):
            self.chat = type("Chat", (), {"completions": Completions})

    monkeypatch.setattr(openai, "OpenAI", Client)
    monkeypatch.setenv("ARKWAY_API_KEY", "sk-x")
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "é\n\"'"}],
        "stream": True,
        "store": True,
    }
    exec(playground.python("http://x/v1", body, "c-1"), {})
    assert {name: sent[name] for name in body} == body
    assert sent["extra_headers"] == {"X-Conversation-Id": "c-1"}


def test_a_turn_says_what_it_used():
    used = {
        "prompt_tokens": 2000,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 500},
    }
    said = playground.summary(t, used, {"x-arkway-affinity": "home"}, (120, 900))
    assert said == (
        "2\u202f000 in, 500 cached, 9 out · 25.0 % cached · affinity: at home"
        " · first token 120 ms · 900 ms in all"
    )
    assert playground.summary(t, None, {}, (0, 5)) == "5 ms in all"


# -- lab -------------------------------------------------------------------------------------------


def test_a_trace_of_own_calls_shares_blocks_along_a_conversation():
    own = [
        call(at_ms=0, uncached=1000, cached=0, output=24),
        call(at_ms=1000, uncached=100, cached=1000, output=5),  # goes on
        call(at_ms=2000, uncached=100, cached=1000, key="other"),  # another key's
        call(at_ms=3000, uncached=500, cached=0),  # nothing cached: a new one
        call(at_ms=4000, uncached=0, cached=0, output=0),  # nothing was served
    ]
    rows = [json.loads(each) for each in lab.trace_of(own)]
    assert [row["timestamp"] for row in rows] == [0, 1000, 2000, 3000]
    assert [row["input_length"] for row in rows] == [1000, 1100, 1100, 500]
    assert rows[1]["hash_ids"][:2] == rows[0]["hash_ids"]
    assert len(rows[1]["hash_ids"]) == 3
    assert not set(rows[2]["hash_ids"]) & set(rows[0]["hash_ids"])
    assert not set(rows[3]["hash_ids"]) & set(rows[0]["hash_ids"])


def test_results_are_lines_and_a_chart():
    found = [
        {"accounts": n, "policies": [
            {"name": "elastic", "header": True, "hit_share_of_bound": 0.99,
             "token_max_over_mean": 1.02, "provoked_429": 0, "failed": 0, "mean_ttft_s": 0.4},
            {"name": "round_robin", "hit_share_of_bound": 1 / n},
        ]}
        for n in (2, 4)
    ]  # fmt: skip
    rows = lab.rows(t, found)
    assert len(rows) == 4
    assert rows[0]["cells"][0]["text"].startswith("Elastic")
    assert rows[0]["cells"][3]["text"] == "1.02"
    made = lab.hit_chart(t, found)
    assert made["xAxis"]["data"] == ["2", "4"]
    assert [each["data"] for each in made["series"]] == [[99.0, 99.0], [50.0, 25.0]]


def test_every_trouble_that_the_gateway_names_has_a_text():
    source = Path(status.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)",? ?(?:\n\s+)?lambda', source))
    assert len(named) > 8
    assert {f"attention.{each}" for each in named} <= set(catalogue())
