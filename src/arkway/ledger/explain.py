"""What happened to a call? Its attempts in words that answer a customer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
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
    "revoked": "its key was revoked, or the node stopped",
    "refused": "the upstream answered with an error",
    "not_sent": "it never reached the upstream",
    "ambiguous": "sent, and no verdict came: the upstream may have charged for it",
    "crash_recovered": "the gateway stopped while it ran: the upstream may have charged for it",
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


def story(attempts: Sequence[Attempted], price_of: Callable[[int], Price | None]) -> list[str]:
    """Return the lines of a call's story, oldest attempt first.

    Shapes:  price_of: a price's version -> the price; None when it is not known any more.
    """
    first = attempts[0].intent
    who = f"by key {first.key} of tenant {first.tenant}"
    what = f"for {first.model}{', streamed' if first.stream else ''}"
    lines = [f"call {first.request_id}", f"  asked   {_time(first.at_ms)} {who}, {what}"]
    for each in attempts:
        lines += _attempt(each, price_of)
    ends = [each.end for each in attempts if each.end is not None]
    total = sum(end.cost_nano for end in ends)
    lines.append(
        f"  in all  {len(attempts)} attempt{'s' if len(attempts) > 1 else ''}, "
        f"{sum(end.tokens for end in ends)} tokens, {money(total)} {first.currency}".rstrip()
    )
    return lines


def _attempt(each: Attempted, price_of: Callable[[int], Price | None]) -> list[str]:
    intent, end = each.intent, each.end
    choice = f", choice {intent.choice}" if intent.choice else ""
    lines = [
        f"  attempt {intent.attempt} at account {intent.account} ({intent.upstream_model}){choice}"
    ]
    if intent.why:
        lines.append(f"    routed   {intent.why}")
    if end is None:
        return [*lines, "    under way"]
    answered = f", upstream status {end.status}" if end.status else ""
    failed = f", told as {end.code}" if end.code else ""
    lines.append(f"    ended    {end.kind}: {_WORDS[end.outcome]}{answered}{failed}")
    lines.append(f"    took     {_timings(end)}; affinity {end.affinity or 'none'}")
    if end.kind == "settle":
        lines += _bill(intent, end, price_of(end.price))
    lines.append(f"    rows     {each.seq} and {each.end_seq}")
    return lines


def _timings(end: End) -> str:
    first = f"first token after {end.first_token_ms} ms, " if end.first_token_ms else ""
    return f"{first}{end.total_ms} ms in all"


def _bill(intent: Intent, end: End, price: Price | None) -> list[str]:
    source = "as the upstream counted" if end.source == "upstream" else "estimated"
    counts = {
        "input": end.uncached,
        "cached input": end.cached,
        "cache creation": end.created,
        "output": end.output,
        "reasoning": end.reasoning,
    }
    used = " + ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
    lines = [f"    used     {used} tokens, {source}"]
    total = f"{money(end.cost_nano)} {intent.currency}".rstrip()
    if price is None:
        return [*lines, f"    price    version {end.price}: {total}"]
    terms = [
        f"{count} x {money(rate)}"
        for count, rate in zip(counts.values(), rates(price), strict=True)
        if count
    ]
    return [
        *lines,
        f"    price    version {end.price}: ({' + '.join(terms) or 0}) / 1000000 = {total}",
    ]


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
