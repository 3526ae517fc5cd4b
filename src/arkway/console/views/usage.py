"""Usage: what was used by whom, of which class, and what it cost."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from arkway.console import cells, charts, formats
from arkway.console.cells import Column, Row
from arkway.console.texts import Texts

Document = Mapping[str, Any]
DIMENSIONS = ("day", "model", "key", "tenant", "account")
CLASSES = ("uncached", "cached", "created", "output", "reasoning")
RANGES = {"today": 1, "7": 7, "30": 30, "90": 90, "365": 366}
MAX_DAYS = 366
_SUMS = ("attempts", "settled", "estimated", "unknown", *CLASSES, "cost_nano")
_CSV = (*DIMENSIONS, "currency", *_SUMS[:-1], "cost", "cache_hit_rate")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


def days_between(since: str, until: str, today: str) -> tuple[str, str]:
    """Return the first and the last day asked for: valid, in order, a year at most."""
    last = _date(until) or _date(today) or date.min
    first = _date(since) or last - timedelta(days=29)
    first, last = min(first, last), max(first, last)
    first = max(first, last - timedelta(days=MAX_DAYS - 1))
    return first.isoformat(), last.isoformat()


def since_of(name: str, today: str) -> str:
    """Return the first day of a range of RANGES."""
    return (date.fromisoformat(today) - timedelta(days=RANGES[name] - 1)).isoformat()


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def sum_tiles(t: Texts, lines: Sequence[Document], sub: str) -> list[dict[str, str]]:
    """Return the sums of some lines as figures."""
    sums = {name: sum(line[name] for line in lines) for name in _SUMS}
    whole = sums["uncached"] + sums["cached"] + sums["created"]
    output = sums["output"] + sums["reasoning"]
    odd = sums["estimated"] + sums["unknown"]
    return [
        _tile(t("usage.cost"), formats.money(sums["cost_nano"]), sub),
        _tile(t("usage.calls"), formats.short(sums["settled"]), t("usage.odd", n=odd)),
        _tile(t("usage.input"), formats.short(whole), sub),
        _tile(t("usage.output"), formats.short(output), sub),
        _tile(t("usage.hit"), formats.share(sums["cached"] / whole if whole else None), sub),
    ]


def _tile(label: str, value: str, sub: str) -> dict[str, str]:
    return {"label": label, "value": value, "unit": "", "sub": sub, "tone": "", "title": ""}


def token_chart(t: Texts, days: Sequence[Document]) -> dict[str, Any]:
    """Return the five classes of tokens by day, stacked."""
    labels, by_day = _by_day(days)
    series = [(t(f"class.{name}"), [by_day[label][name] for label in labels]) for name in CLASSES]
    return _abbreviated(charts.bars(_axis(labels), series))


def cost_chart(t: Texts, days: Sequence[Document]) -> dict[str, Any]:
    """Return the cost by day."""
    labels, by_day = _by_day(days)
    cost = [round(by_day[label]["cost_nano"] / formats.NANO, 4) for label in labels]
    return charts.bars(_axis(labels), [(t("usage.cost"), cost)])


def hit_chart(t: Texts, days: Sequence[Document]) -> dict[str, Any]:
    """Return the cached share of the input by day."""
    labels, by_day = _by_day(days)
    shares: list[float | None] = []
    for label in labels:
        sums = by_day[label]
        whole = sums["uncached"] + sums["cached"] + sums["created"]
        shares.append(round(100 * sums["cached"] / whole, 2) if whole else None)
    made = charts.lines(_axis(labels), [(t("usage.hit"), shares)], area=True)
    made["yAxis"]["max"] = 100
    return made


def _axis(days: Sequence[str]) -> list[str]:
    """Return days as an axis has them: without the year where that can be left out."""
    return [day[5:] for day in days] if len(days) < 300 else list(days)


def _abbreviated(options: dict[str, Any]) -> dict[str, Any]:
    """Return a chart whose axis says 2M, not 2,000,000. The formatter is a text of ours."""
    options["yAxis"]["axisLabel"] = {
        **options["yAxis"]["axisLabel"],
        ":formatter": "(v) => v >= 1e9 ? v / 1e9 + 'B' : v >= 1e6 ? v / 1e6 + 'M'"
        " : v >= 1e3 ? v / 1e3 + 'k' : v",
    }
    return options


def _by_day(lines: Sequence[Document]) -> tuple[list[str], dict[str, dict[str, int]]]:
    """Return every day from the first to the last, and its sums; a day without use has zeros."""
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        sums = found.setdefault(line["day"], dict.fromkeys(_SUMS, 0))
        for name in _SUMS:
            sums[name] += line[name]
    if not found:
        return [], {}
    first, last = date.fromisoformat(min(found)), date.fromisoformat(max(found))
    count = min((last - first).days, MAX_DAYS - 1) + 1
    labels = [(first + timedelta(days=at)).isoformat() for at in range(count)]
    return labels, {label: found.get(label) or dict.fromkeys(_SUMS, 0) for label in labels}


def columns(t: Texts, by: Sequence[str]) -> list[Column]:
    """Return the columns of `rows`."""
    named = [cells.column(name, t(f"by.{name}"), nowrap=name == "day") for name in by]
    return [
        *named,
        cells.column("calls", t("usage.calls"), num=True),
        *(cells.column(name, t(f"class.{name}"), num=True) for name in CLASSES),
        cells.column("hit", t("usage.hit"), num=True),
        cells.column("cost", t("usage.cost"), num=True),
    ]


def rows(lines: Sequence[Document], by: Sequence[str], names: Mapping[str, str]) -> list[Row]:
    """Return usage as lines. Shapes: names: of keys, by id."""
    return [_row(at, line, by, names) for at, line in enumerate(lines)]


def _row(at: int, line: Document, by: Sequence[str], names: Mapping[str, str]) -> Row:
    named = []
    for name in by:
        value = line[name]
        if name == "key":
            sub = value if value in names else ""
            named.append(cells.text(names.get(value, value), sub, href=f"/keys/{value}"))
        else:
            named.append(cells.text(value))
    return cells.row(
        str(at),
        "",
        [
            *named,
            cells.text(formats.count(line["settled"])),
            *(cells.text(formats.count(line[name])) for name in CLASSES),
            cells.text(formats.share(line["cache_hit_rate"])),
            cells.text(formats.money(line["cost_nano"], line["currency"])),
        ],
    )


def csv_head() -> str:
    """Return the first line of an export."""
    return ",".join(_CSV) + "\r\n"


def csv_lines(lines: Iterable[Document], names: Mapping[str, str]) -> str:
    """Return usage as CSV (RFC 4180). A text that a spreadsheet would compute is made one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for line in lines:
        shown = {**line, "key": names.get(line["key"], line["key"])}
        writer.writerow([_plain(shown[name]) for name in _CSV])
    return out.getvalue()


def _plain(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula else value


def today(now_ms: int) -> str:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")
