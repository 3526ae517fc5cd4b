"""A gateway's home as it looks after a month of use: `python tools/demo_home.py HOME [CALLS]`.

For screenshots and for looking at the console: tenants, keys, accounts, and a ledger of the last
30 days with working hours, growing conversations, refusals, retries and callers who leave. The
same seed gives the same month. Nothing in it is a measurement, and no credential opens anything.
"""

import math
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from arkway.control.home import ledger_file, open_home
from arkway.ledger.book_file_io import BookFile
from arkway.ledger.chain import link
from arkway.ledger.entry import End, Intent, Kind, Outcome, UsageSource, encode
from arkway.ledger.price import TOKENS_PER_PRICE
from arkway.model.ids import uuid7_head
from arkway.store import accounts, keys, prices, tenants
from arkway.store.changes import Change, change, reading
from arkway.store.engine import Store, open_store
from arkway.store.prices import PriceRecord

DAY_MS = 86_400_000
DAYS, CALLS, SEED = 30, 24_000, 20
_COMMIT = 10_000  # entries

TENANTS = ("northwind", "aurora", "lotus")
_PRO, _LONG, _LITE = "Doubao-1.5-pro-32k", "Doubao-1.5-pro-256k", "Doubao-1.5-lite-32k"
# name, tenant, share of the calls, model, and rules
KEYS: tuple[tuple[str, str, int, str, dict[str, object]], ...] = (
    ("support-chat", "northwind", 30, _PRO, {"budget": "20", "budget_period": "month"}),
    ("support-chat-staging", "northwind", 4, _PRO, {"requests_per_min": 60, "expires": "5d"}),
    ("shop-search", "northwind", 22, _LITE, {"requests_per_min": 1200, "tokens_per_min": 2000000}),
    ("contract-review", "aurora", 7, _LONG, {"budget": "260", "budget_period": "month"}),
    ("meeting-notes", "aurora", 9, _PRO, {"budget": "0.50", "budget_period": "day"}),
    ("aurora-notebooks", "aurora", 3, _PRO, {"concurrency": 4, "models": [_PRO, _LITE]}),
    ("tutor", "lotus", 18, _PRO, {"budget": "10", "budget_period": "total"}),
    ("tutor-grading", "lotus", 6, _LITE, {"total_tokens": 200000000, "on_disconnect": "drain"}),
    ("ops-probe", "default", 1, _LITE, {"allowed_networks": ["10.0.0.0/8"]}),
)
# name, requests a minute, tokens a minute, calls at once, weight
ACCOUNTS = (
    ("ark-beijing-1", 1200, 800_000, 60, 2),
    ("ark-beijing-2", 1200, 800_000, 60, 2),
    ("ark-beijing-3", 600, 400_000, 30, 1),
    ("ark-shanghai-1", 600, 400_000, 30, 1),
    ("ark-reserve", 300, 200_000, 16, 1),
)
_SIZES = {_PRO: (900, 260), _LONG: (7_500, 700), _LITE: (420, 90)}  # usual prompt, answer
_FAULTS = (  # share in 10 000, outcome, kind, status, code
    (45, Outcome.REFUSED, Kind.VOID, 429, "rate_limit_exceeded"),
    (12, Outcome.REFUSED, Kind.VOID, 500, "upstream_error"),
    (20, Outcome.CALLER_LEFT, Kind.SETTLE, 200, ""),
    (6, Outcome.INTERRUPTED, Kind.SETTLE, 200, "upstream_interrupted"),
    (4, Outcome.NOT_SENT, Kind.VOID, 0, "upstream_unreachable"),
)


class Caller(NamedTuple):
    """A key as calls need it."""

    id: str
    name: str
    tenant: str
    model: str
    share: int
    text: str


def make(home: Path, urls: Sequence[str], calls: int = CALLS) -> list[Caller]:
    """Make the home; return its callers. Shapes: urls: of the accounts, used in turn."""
    store = open_store(open_home(home), os.environ)
    with change(store, "demo") as now:
        callers = list(_callers(now))
        for at, (name, requests, tokens, in_flight, weight) in enumerate(ACCOUNTS):
            account = {
                "name": name,
                "dialect": "ark",
                "base_url": urls[at % len(urls)],
                "requests_per_min": requests,
                "tokens_per_min": tokens,
                "in_flight": in_flight,
                "weight": weight,
                "is_draining": name == "ark-reserve",
            }
            accounts.create(now, account, f"ark-demo-credential-{at}")
    _ledger(home, store, callers, calls)
    return callers


def _callers(now: Change) -> Iterator[Caller]:
    for name in TENANTS:
        tenants.create(now, {"name": name})
    for name, tenant, share, model, rules in KEYS:
        made = keys.create(now, {"name": name, "tenant": tenant, **rules})
        yield Caller(made.record.id, name, tenant, model, share, made.text)
    old = keys.create(now, {"name": "tutor-2025", "tenant": "lotus"})
    keys.revoke(now, old.record.id)


def _ledger(home: Path, store: Store, callers: Sequence[Caller], calls: int) -> None:
    with reading(store) as connection:
        priced = prices.current(connection)
    file = BookFile(ledger_file(home))
    file.open()
    seq, hash_, batch = file.seq, file.hash, []
    for entry in _entries(random.Random(SEED), callers, priced, calls):
        body = encode(entry)
        seq += 1
        hash_ = link(hash_, seq, body)
        batch.append((seq, entry, body, hash_))
        if len(batch) >= _COMMIT and isinstance(entry, End):
            file.add(batch)
            batch = []
    if batch:
        file.add(batch)
    file.close()


def _moments(dice: random.Random, calls: int) -> list[int]:
    """Return when the calls were, ascending: more by day, fewer at weekends, a growing use."""
    end_ms = int(time.time() * 1000) - 90_000
    found: list[int] = []
    while len(found) < calls:
        at_ms = end_ms - int(dice.random() * DAYS * DAY_MS)
        clock = time.gmtime(at_ms / 1000)
        hour = clock.tm_hour + 8  # the callers' day is Beijing's
        busy = 0.25 + 0.75 * max(0.0, math.sin((hour % 24 - 6) / 18 * math.pi)) ** 1.5
        week = 0.55 if clock.tm_wday >= 5 else 1.0
        grown = 1 - 0.45 * (end_ms - at_ms) / (DAYS * DAY_MS)
        if dice.random() < busy * week * grown:
            found.append(at_ms)
    return sorted(found)


def _entries(
    dice: random.Random, callers: Sequence[Caller], priced: dict[str, PriceRecord], calls: int
) -> Iterator[Intent | End]:
    open_: dict[str, list[list[int]]] = {caller.id: [] for caller in callers}
    shares = [caller.share for caller in callers]
    for number, at_ms in enumerate(_moments(dice, calls)):
        caller = dice.choices(callers, shares)[0]
        usual, answer = _SIZES[caller.model]
        talks = open_[caller.id]
        fresh = int(usual * dice.lognormvariate(0, 0.5)) + 20
        if talks and dice.random() < 0.72:
            talk = dice.choice(talks)
        else:
            talk = [dice.choices(range(len(ACCOUNTS) - 1), [5, 5, 3, 2])[0], 0]
            talks.append(talk)
            del talks[:-40]
        known, home = talk[1], talk[0]
        if known + fresh > 30 * usual:
            known = talk[1] = 0
        output = int(answer * dice.lognormvariate(0, 0.6)) + 5
        hit = known // 256 * 256 if known and dice.random() < 0.94 else 0
        talk[1] = known + fresh + output
        sizes = (known + fresh - hit, hit, output)
        tail = f"8{dice.randrange(4096):03x}-{dice.getrandbits(48):012x}"
        request_id = f"{uuid7_head(at_ms)}{number & 0xFFF:03x}-{tail}"
        yield from _call(dice, (request_id, at_ms, caller), (home, sizes), priced[caller.model])


def _call(
    dice: random.Random,
    of: tuple[str, int, Caller],
    what: tuple[int, tuple[int, int, int]],
    price: PriceRecord,
) -> Iterator[Intent | End]:
    request_id, at_ms, caller = of
    home, (fresh, hit, output) = what
    fault = _fault(dice)
    begun_ms, attempt = at_ms, 1
    if fault is not None and fault[2] is Kind.VOID:
        yield _intent(of, attempt, begun_ms, home, price)
        begun_ms += dice.randrange(20, 400)
        yield End(
            request_id, 1, begun_ms, Kind.VOID, fault[1], UsageSource.NONE,
            total_ms=begun_ms - at_ms, affinity="home", status=fault[3], code=fault[4],
        )  # fmt: skip
        if dice.random() < 0.15:
            return
        attempt, home, hit, fresh, fault = 2, (home + 1) % (len(ACCOUNTS) - 1), 0, fresh + hit, None
    yield _intent(of, attempt, begun_ms, home, price)
    first = int((180 + fresh / 14 + hit / 120) * dice.lognormvariate(0, 0.25))
    reasoning = output // 2 if caller.name == "contract-review" and dice.random() < 0.4 else 0
    whole = first + int((output + reasoning) * dice.uniform(9, 15))
    outcome, code = (fault[1], fault[4]) if fault else (Outcome.COMPLETED, "")
    if fault:
        whole, output = first + (whole - first) // 3, output // 3
    cost = (
        fresh * price.input_nano
        + hit * price.cached_input_nano
        + (output + reasoning) * price.output_nano
    ) // TOKENS_PER_PRICE
    yield End(
        request_id, attempt, begun_ms + whole, Kind.SETTLE, outcome,
        UsageSource.ESTIMATE if fault else UsageSource.UPSTREAM,
        uncached=fresh, cached=hit, output=output, reasoning=reasoning, cost_nano=cost,
        price=price.version, delivered_bytes=output * 4, first_token_ms=begun_ms - at_ms + first,
        total_ms=begun_ms - at_ms + whole, affinity="home" if attempt == 1 else "spill",
        status=200, code=code,
    )  # fmt: skip


def _intent(
    of: tuple[str, int, Caller], attempt: int, at_ms: int, account: int, price: PriceRecord
) -> Intent:
    request_id, _, caller = of
    return Intent(
        request_id, attempt, at_ms, caller.id, caller.tenant, ACCOUNTS[account][0], caller.model,
        caller.model.lower().replace(".", "-") + "-250115", price.version, "CNY", stream=True,
    )  # fmt: skip


def _fault(dice: random.Random) -> tuple[int, Outcome, Kind, int, str] | None:
    at = dice.randrange(10_000)
    for fault in _FAULTS:
        at -= fault[0]
        if at < 0:
            return fault
    return None


if __name__ == "__main__":
    began_s = time.monotonic()
    found = make(
        Path(sys.argv[1]),
        ["http://127.0.0.1:18999/api/v3"],
        int(sys.argv[2]) if len(sys.argv) > 2 else CALLS,
    )
    print(f"{sys.argv[1]}: {len(found)} keys, made in {time.monotonic() - began_s:.1f} s")
