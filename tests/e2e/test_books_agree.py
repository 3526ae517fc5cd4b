"""Do all who read the ledger say the same? After every fault of an account, to the nano-unit.

The `ends` table is what happened; usage on the command line, over HTTP, in the admin API, the list
of calls and their stories are read beside it.
"""

import contextlib
import json
import random
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from decimal import Decimal

import pytest

from support.control import admin_ask
from support.gateway import KEY, MODEL, OTHER_KEY, Gateway, ask, encode, free_port
from support.httpraw import MalformedError
from support.lab import FORGIVING
from support.sim import KINDS, Sim

pytestmark = pytest.mark.slow

CLASSES = ("uncached", "cached", "created", "output", "reasoning")
WAYS = ({}, {"stream": True}, {"n": 2}, {"n": 2, "stream": True})
SETTINGS = {
    "upstream": {"first_token_s": 0.2, "between_chunks_s": 0.2, "plain_answer_s": 0.3},
    "prices": {MODEL: {"input": "0.8", "cached_input": "0.16", "output": "2.0003"}},
} | FORGIVING


def make_calls(sim, gateway):
    """Make calls of every kind into every fault; of the streams some callers leave."""
    dice = random.Random(1)
    for kind in KINDS:
        sim.set_faults({"kind": kind, "accounts": ["ark-1", "ark-2"]})
        for way in WAYS:
            for key in (KEY, OTHER_KEY):
                body = ask(f"[[sim tokens=9]] {'word ' * dice.randrange(1, 3000)}", **way)
                with gateway.connect() as connection, contextlib.suppress(MalformedError):
                    connection.send(encode("POST", "/v1/chat/completions", body, key=key))
                    if not way.get("stream") or dice.random() < 0.7:
                        connection.read_response(method="POST")


@pytest.fixture(scope="module")
def books():
    """Return the gateway, the admin API's port and token, and the true sums by key."""
    port = free_port()
    settings = SETTINGS | {"control": {"enabled": True, "port": port}}
    with (
        Sim({"number_of_accounts": 4, "own_ports": True}, "--instant") as sim,
        Gateway(settings | {"accounts": sim.pool}, env=sim.env) as gateway,
    ):
        make_calls(sim, gateway)
        wait_filed(gateway)
        token = (gateway.home / "first-admin-token").read_text().strip()
        yield gateway, (port, token), true_sums(gateway)


def wait_filed(gateway):
    """Wait until every attempt has its end, and the database has it."""
    deadline_s = time.monotonic() + 10
    with closing(sqlite3.connect(f"file:{gateway.home}/ledger.db?mode=ro", uri=True)) as db:
        while True:
            time.sleep(0.7)  # what is durable is filed within half a second
            (open_,) = db.execute(
                "SELECT (SELECT count(*) FROM intents) - (SELECT count(*) FROM ends)"
            ).fetchone()
            if not open_:
                return
            assert time.monotonic() < deadline_s, open_


def true_sums(gateway):
    """Return `{key: (attempts, tokens by class, nano-units)}`."""
    with closing(sqlite3.connect(f"file:{gateway.home}/ledger.db?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT key, count(*), sum(uncached), sum(cached), sum(created), sum(output),"
            " sum(reasoning), sum(cost_nano) FROM ends JOIN intents USING (request_id, attempt)"
            " GROUP BY key"
        ).fetchall()
    return {key: (count, tuple(tokens), nano) for key, count, *tokens, nano in rows}


def sums_of(lines):
    """Return the same of lines that somebody shows."""
    found = defaultdict(lambda: [0, [0] * len(CLASSES), 0])
    for line in lines:
        its = found[line["key"]]
        its[0] += line["attempts"]
        its[1] = [a + line[name] for a, name in zip(its[1], CLASSES, strict=True)]
        its[2] += line["cost_nano"]
    return {key: (count, tuple(tokens), nano) for key, (count, tokens, nano) in found.items()}


def test_there_is_something_to_agree_about(books):
    gateway, _, true = books
    calls = json.loads(gateway.arkway("calls", "--limit", "10000", "--json"))

    assert len(true) == 2
    assert len(calls) == len(KINDS) * len(WAYS) * 2
    assert len({call["outcome"] for call in calls}) >= 4


@pytest.mark.parametrize("by", ["key", "day,key", "key,model", "key,account", "key,tenant"])
def test_usage_on_the_command_line_and_in_the_admin_api(books, by):
    gateway, (port, token), true = books
    status, document = admin_ask(port, "GET", f"/admin/v1/usage?by={by}&limit=1000", token)

    assert sums_of(json.loads(gateway.arkway("usage", "--by", by, "--json"))) == true
    assert (status, document["next_cursor"]) == (200, None)
    assert sums_of(document["items"]) == true


def test_the_list_of_calls_and_their_stories(books):
    gateway, (port, token), true = books
    calls = json.loads(gateway.arkway("calls", "--limit", "10000", "--json"))
    pages, cursor = [], ""
    while cursor is not None:
        path = f"/admin/v1/calls?limit=100{cursor and f'&cursor={cursor}'}"
        _, document = admin_ask(port, "GET", path, token)
        pages += document["items"]
        cursor = document["next_cursor"]

    assert sums_of(calls) == true
    assert sums_of(pages) == true
    for call in random.Random(2).sample(calls, 12):
        story = json.loads(gateway.arkway("explain", call["request_id"], "--json"))
        assert len(story) == call["attempts"]
        assert sum(it["end"].get("cost_nano", 0) for it in story) == call["cost_nano"]


def test_what_a_key_sees_of_itself(books):
    gateway, _, true = books
    found = set()
    for key in (KEY, OTHER_KEY):
        lines = json.loads(gateway.call("GET", "/v1/usage", key=key).body)["data"]
        names = ("uncached_input", "cached_input", "cache_creation_input", "output")
        tokens = [sum(it[f"{name}_tokens"] for it in lines) for name in names]
        tokens.append(sum(it["reasoning_output_tokens"] for it in lines))
        found.add((tuple(tokens), sum(Decimal(it["cost"]) for it in lines) * 10**9))

    assert found == {(tokens, nano) for _, tokens, nano in true.values()}


def test_the_book_itself(books):
    gateway, _, _ = books

    gateway.arkway("ledger", "verify")
