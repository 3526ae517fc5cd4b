"""The overview: figures of this minute, of this day, and what needs somebody."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arkway.console import cells, charts, formats
from arkway.console.cells import Column, Row
from arkway.console.live import Live, Picture, Point
from arkway.console.texts import Texts
from arkway.console.views import calls as calls_view
from arkway.ledger.price import TOKENS_PER_PRICE

Document = Mapping[str, Any]
Tile = dict[str, str]
RECENT_CALLS = 12
BAD_SHARE, WARN_SHARE = 0.05, 0.01  # of requests that get an error


def now_tiles(t: Texts, now: Live) -> list[Tile]:
    """Return the figures of this minute."""
    p50, p95, p99 = now.first_token_s
    asked_per_s = now.calls_per_s + now.refused_per_s
    failing = now.errors_per_s / asked_per_s if asked_per_s else 0.0
    flight = formats.NOTHING if now.in_flight is None else formats.count(now.in_flight)
    source = t(f"overview.source_{now.source}")
    return [
        _tile(
            t, "calls", f"{now.calls_per_s:.1f}", "/s", t("overview.in_flight", n=flight), source
        ),
        _tile(
            t,
            "tokens",
            formats.short(now.input_per_s + now.output_per_s),
            "/s",
            t("overview.output", n=formats.short(now.output_per_s)),
            source,
        ),
        {
            **_tile(t, "errors", formats.share(failing), "", _per_s(t, now.errors_per_s), source),
            "tone": "bad" if failing >= BAD_SHARE else "warn" if failing >= WARN_SHARE else "",
        },
        _tile(
            t,
            "first_token",
            _seconds(p50),
            "p50",
            f"p95 {_seconds(p95)} · p99 {_seconds(p99)}",
            source,
        ),
        _tile(t, "hit", formats.share(now.hit_rate), "", t("overview.hit_minute"), source),
    ]


def _tile(t: Texts, name: str, value: str, unit: str, sub: str, title: str) -> Tile:
    return {
        "label": t(f"overview.{name}"),
        "value": value,
        "unit": unit,
        "sub": sub,
        "title": title,
        "tone": "",
    }


def _per_s(t: Texts, value: float) -> str:
    return t("overview.per_s", n=f"{value:.2f}" if value else "0")


def _seconds(value: float | None) -> str:
    return formats.NOTHING if value is None else formats.millis(value * 1000)


def today_tiles(
    t: Texts, today: Sequence[Document], prices: Mapping[str, Document], accounts: int
) -> list[Tile]:
    """Return the figures of this day. Shapes: today: usage by model and account."""
    spent = sum(line["cost_nano"] for line in today)
    cached = sum(line["cached"] for line in today)
    whole = cached + sum(line["uncached"] + line["created"] for line in today)
    output = sum(line["output"] + line["reasoning"] for line in today)
    attempts = sum(line["attempts"] for line in today)
    saved = saved_nano(today, prices, accounts)
    return [
        _tile(t, "spend", formats.money(spent), "", t("overview.today"), ""),
        _tile(
            t,
            "saved",
            formats.money(saved),
            "",
            t("overview.saved_sub", n=accounts),
            t("overview.saved_title", n=accounts),
        ),
        _tile(
            t, "hit", formats.share(cached / whole if whole else None), "", t("overview.today"), ""
        ),
        _tile(t, "attempts", formats.short(attempts), "", t("overview.today"), ""),
        _tile(
            t,
            "tokens",
            formats.short(whole + output),
            "",
            t("overview.in_out", i=formats.short(whole), o=formats.short(output)),
            "",
        ),
    ]


def saved_nano(usage: Iterable[Document], prices: Mapping[str, Document], accounts: int) -> int:
    """Return what the cached tokens saved, against the same calls spread over a pool at random.

    Of N accounts, a turn sent to any one finds its conversation's cache in one of N: so that part
    would have been cached all the same. Right for second turns, a little high for later ones; the
    routing lab has it exactly.
    """
    if accounts <= 1:
        return 0
    saved = 0
    for line in usage:
        price = prices.get(line["model"])
        if price is not None:
            gap = calls_view.nano(price["input"]) - calls_view.nano(price["cached_input"])
            saved += line["cached"] * gap // TOKENS_PER_PRICE
    return saved * (accounts - 1) // accounts


def rate_chart(t: Texts, points: Sequence[Point]) -> dict[str, Any]:
    """Return calls a second over the last minutes."""
    labels = [formats.clock(point.unix_ms) for point in points]
    return charts.lines(
        labels,
        [(t("overview.calls"), [round(point.calls_per_s, 2) for point in points])],
        area=True,
    )


def token_chart(t: Texts, points: Sequence[Point]) -> dict[str, Any]:
    """Return tokens a second over the last minutes."""
    labels = [formats.clock(point.unix_ms) for point in points]
    return charts.lines(
        labels,
        [
            (t("overview.input"), [round(point.input_per_s) for point in points]),
            (t("overview.output_tokens"), [round(point.output_per_s) for point in points]),
        ],
        area=True,
    )


def first_token_chart(_: Texts, points: Sequence[Point]) -> dict[str, Any]:
    """Return the time to the first token over the last minutes."""
    labels = [formats.clock(point.unix_ms) for point in points]
    series = [
        (name, [_ms(point.first_token_s[at]) for point in points])
        for at, name in enumerate(("p50", "p95", "p99"))
    ]
    return charts.lines(labels, series)


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value * 1000)


def error_rows(t: Texts, errors: Mapping[tuple[str, str], float]) -> list[Row]:
    """Return the errors of the last minute, the most frequent first."""
    ordered = sorted(errors.items(), key=lambda each: -each[1])[:8]
    return [
        cells.row(
            f"{status}{code}",
            code,
            [
                cells.text(code or t("overview.no_code"), strong=True),
                cells.text(status or formats.NOTHING),
                cells.text(formats.count(number)),
            ],
        )
        for (status, code), number in ordered
    ]


def error_columns(t: Texts) -> list[Column]:
    """Return the columns of `error_rows`."""
    return [
        cells.column("code", t("overview.code")),
        cells.column("status", t("overview.status"), num=True),
        cells.column("count", t("overview.count"), num=True),
    ]


def call_rows(t: Texts, picture: Picture, names: Mapping[str, str]) -> list[Row]:
    """Return the newest calls."""
    return [calls_view.row(t, call, names) for call in picture.calls[:RECENT_CALLS]]


def attention(
    t: Texts,
    now: Live,
    accounts: Sequence[Document],
    keys: Sequence[Document],
    spent: Sequence[tuple[str, float]] = (),
) -> list[tuple[str, str, str, str]]:
    """Return what needs somebody. Shapes: tone, title, detail, path; spent: `keys.nearly_spent`."""
    found: list[tuple[str, str, str, str]] = []
    if now.source != "none" and now.state == "unreachable":
        found.append(("bad", t("attention.unreachable"), t("attention.unreachable_what"), ""))
    for what, detail in now.attention:
        found.append(("warn", t.word("attention", what), detail, "/accounts"))
    if not accounts:
        found.append(("", t("attention.no_accounts"), t("attention.no_accounts_what"), "/accounts"))
    if spent:
        shown = [f"{name} {formats.share(part)}" for name, part in spent[:8]]
        tone = formats.tone_of_share(spent[0][1])
        found.append((tone, t("attention.budgets"), ", ".join(shown), "/keys"))
    draining = [str(each["name"]) for each in accounts if each["is_draining"] and each["enabled"]]
    if draining:
        found.append(("", t("attention.draining"), ", ".join(draining[:8]), "/accounts"))
    if not keys:
        found.append(("", t("attention.no_keys"), t("attention.no_keys_what"), "/keys"))
    return found[:8]
