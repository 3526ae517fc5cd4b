"""What happened to a call? Its attempts in words that answer a customer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

from arkway.ledger.entry import End, Intent
from arkway.ledger.price import rates
from arkway.ledger.read_io import Attempted, UsageLine
from arkway.model.catalogue import Price

NANO = 1_000_000_000
_WORDS = {
    "completed": "answered",
    "upstream_interrupted": "the upstream broke off in the middle of the answer",
    "caller_left": "the caller closed its connection",
    "revoked": "ended by the gateway: key revoked, node stopped, or another choice failed",
    "refused": "the upstream answered with an error",
    "not_sent": "it never reached the upstream",
    "ambiguous": "sent, and no verdict came: the upstream may have charged for it",
    "hedge_lost": "sent twice, and the other attempt was first; this one is the operator's expense",
    "crash_recovered": "the gateway stopped while it ran: the upstream may have charged for it",
}

_OUR_DOING = ("completed", "caller_left", "revoked", "hedge_lost")  # their code is nobody's answer
_PLACES = {
    "home": "at its conversation's home account",
    "spill": "away from its conversation's home account, which had no room or was out",
}
_UNBILLED = {
    "void": "nothing was served",
    "unknown": "what the upstream charged, if anything, is not known",
}


def money(nano: int) -> str:
    """Return an amount in whole units, to the nano-unit: `0.00228`."""
    whole, rest = divmod(abs(nano), NANO)
    text = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if nano < 0 else text


def usage_list(lines: Sequence[UsageLine], days: tuple[str, str]) -> dict[str, Any]:
    """Return what a key has used as its holder sees it: `GET /v1/usage`."""
    return {
        "object": "list",
        "start_date": days[0],
        "end_date": days[1],
        "data": [
            {
                "object": "usage.day",
                "date": line.day,
                "model": line.model,
                "requests": line.settled,
                "uncached_input_tokens": line.uncached,
                "cached_input_tokens": line.cached,
                "cache_creation_input_tokens": line.created,
                "output_tokens": line.output,
                "reasoning_output_tokens": line.reasoning,
                "cache_hit_rate": round(line.cache_hit_rate, 6),
                "cost": money(line.cost_nano),
                "currency": line.currency,
            }
            for line in lines
        ],
    }


def story(
    attempts: Sequence[Attempted],
    price_of: Callable[[int], Price | None],
    name_of: Callable[[str], str | None] = lambda _: None,
) -> list[str]:
    """Return the lines of a call's story, oldest attempt first.

    Shapes:  price_of: a price's version -> the price; None when it is not known any more. name_of:
             a key's id -> its name.
    """
    first = attempts[0].intent
    name = name_of(first.key)
    key = f"{name} ({first.key})" if name else first.key
    what = f"{first.model}{', streamed' if first.stream else ''}"
    lines = [
        f"call {first.request_id}",
        f"  asked    {_time(first.at_ms)}, for {what}",
        f"  by       key {key} of tenant {first.tenant}",
        f"  result   {_result(attempts)}",
    ]
    for each in attempts:
        is_last = not any(
            _ended(other) > _ended(each) and other.intent.choice == each.intent.choice
            for other in attempts
        )
        lines += _attempt(each, price_of, is_last=is_last)
    return lines


def _ended(each: Attempted) -> tuple[bool, float]:
    """Return what orders attempts by their ends. A call sent twice is answered by the other one."""
    is_lost = each.end is not None and each.end.outcome == "hedge_lost"
    return not is_lost, inf if each.end_seq is None else each.end_seq


def _result(attempts: Sequence[Attempted]) -> str:
    """Return the whole call in a sentence, with what its caller pays."""
    ends = [each.end for each in attempts if each.end is not None]
    if len(ends) < len(attempts):
        return "under way"
    tokens, cost = sum(end.tokens for end in ends), sum(end.cost_nano for end in ends)
    paid = f"{tokens} tokens, {money(cost)} {attempts[0].intent.currency}".rstrip()
    if not tokens:
        paid = "nothing is billed"
    tries = f"{len(attempts)} attempts" if len(attempts) > 1 else "1 attempt"
    last = max(attempts, key=_ended).end
    assert last is not None, "none is under way"
    return f"{_WORDS[last.outcome]}; {tries}; {paid}"


def _attempt(
    each: Attempted, price_of: Callable[[int], Price | None], *, is_last: bool
) -> list[str]:
    intent, end = each.intent, each.end
    choice = f", choice {intent.choice}" if intent.choice else ""
    lines = [
        f"  attempt {intent.attempt} at account {intent.account} ({intent.upstream_model}){choice}"
    ]
    if intent.why:
        chosen, *others = intent.why.split("; ")
        lines += [f"    routed   {chosen}", *(f"             {other}" for other in others)]
    if end is None:
        return [*lines, "    under way"]
    lines.append(f"    ended    {_ending(end, is_last=is_last)}")
    lines.append(f"    took     {_timings(end)}")
    if end.affinity in _PLACES:
        lines.append(f"    place    {_PLACES[end.affinity]}")
    if end.kind == "settle":
        lines += _bill(intent, end, price_of(end.price))
    else:
        lines.append(f"    billed   nothing: {_UNBILLED[end.kind]}")
    lines.append(f"    ledger   rows {each.seq} and {each.end_seq}, kind {end.kind}")
    return lines


def _ending(end: End, *, is_last: bool) -> str:
    answered = f" (status {end.status})" if end.status else ""
    told = ""
    if end.code and end.outcome not in _OUR_DOING:
        told = f"; the caller was told {end.code}" if is_last else "; another account was tried"
    return f"{_WORDS[end.outcome]}{answered}{told}"


def _timings(end: End) -> str:
    first = f"first token after {end.first_token_ms} ms, " if end.first_token_ms else ""
    return f"{first}{end.total_ms} ms in all, since the call was received"


def _bill(intent: Intent, end: End, price: Price | None) -> list[str]:
    counts = {
        "input": end.uncached,
        "cached input": end.cached,
        "cache creation": end.created,
        "output": end.output,
        "reasoning": end.reasoning,
    }
    used = " + ".join(f"{count} {name}" for name, count in counts.items() if count) or "no"
    lines = [f"    used     {used} tokens, {_source(end)}"]
    if end.cached:
        all_input = end.uncached + end.cached + end.created
        lines.append(
            f"    cache    {end.cached} of {all_input} input tokens ({end.cached / all_input:.1%})"
            " were in the upstream's cache"
        )
    total = f"{money(end.cost_nano)} {intent.currency}".rstrip()
    if price is None:
        return [*lines, f"    billed   {total}, by price version {end.price}"]
    items = [
        f"             {count} {name} x {money(rate)} = {_exact(count * rate)}"
        for (name, count), rate in zip(counts.items(), rates(price), strict=True)
        if count
    ]
    return [
        *lines,
        f"    price    version {end.price}, for a million tokens:",
        *items,
        f"    billed   {total}",
    ]


def _exact(nano_of_a_million: int) -> str:
    """Return what some tokens cost, before the sum is rounded to the nano-unit."""
    whole, rest = divmod(nano_of_a_million, NANO * 1_000_000)
    return f"{whole}.{rest:015d}".rstrip("0").rstrip(".")


def _source(end: End) -> str:
    if end.source == "upstream":
        return "as the upstream counted"
    return f"estimated: no counts came; {end.delivered_bytes} bytes of text were delivered"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
