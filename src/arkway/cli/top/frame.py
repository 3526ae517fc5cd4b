"""How does one `/status` look? A document to a picture for Rich, of any width. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arkway.cli.live import share as share_text
from arkway.cli.live import why_out

BAR_CELLS = 10
_IN_ROWS = ("account_broken", "account_ejected", "account_full")  # of `attention`
NEARLY_FULL, FULL = 0.7, 0.9
# Below it, bars are numbers alone.
NARROW = 110
_SMALL = 72  # below it, the columns of an account are those that tell whether it serves
_NUMBER_CELLS = 27  # of a name, a number and the gaps
_LIMITS = (("requests", "REQ/MIN"), ("tokens", "TOK/MIN"), ("in_flight", "AT ONCE"))
_STATES = {"up": "green", "partly": "yellow", "ejected": "red", "broken": "red bold"}
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def frame(status: Mapping[str, Any], width: int, url: str) -> Group:
    """Return the picture: the node, its numbers, its accounts, what needs somebody."""
    parts: list[RenderableType] = [_title(status, url), "", _numbers(status, width), ""]
    parts.append(_accounts(status["accounts"], width))
    errors = _errors(status["rates"].get("failed_attempts_per_s", {}))
    parts += ["", Text("failed attempts/s  ", style="dim") + errors]
    for each in (it for it in status["attention"] if it["what"] not in _IN_ROWS):
        parts.append(Text(f"! {each['what'].replace('_', ' ')}: {each['detail']}", style="yellow"))
    return Group(*parts)


def _title(status: Mapping[str, Any], url: str) -> Text:
    state = status["state"]
    return Text.assemble(
        ("arkway ", "bold"),
        (state, "green" if state == "ready" else "red bold"),
        (f"  {status['version']}  up {span(status['uptime_s'])}  {url}", "dim"),
    )


def _numbers(status: Mapping[str, Any], width: int) -> Table:
    """Return numbers with their names, in as many columns as have room, three at most."""
    rates, first = status["rates"], status["time_to_first_token_s"]
    whole, hits = status["call_duration_s"], status["cache_hit_ratio"]
    waiting = sum(each["waiting"] for each in status["accounts"])
    costs = ", ".join(f"{cost * 3600:.2f} {name}/h" for name, cost in rates["cost_per_s"].items())
    rows = [
        ("calls/s", number(rates["calls_per_s"])),
        ("first token p50", seconds(first["p50"])),
        ("in flight", str(status["calls_in_flight"])),
        ("tokens/s in", number(rates["input_tokens_per_s"])),
        ("first token p95", seconds(first["p95"])),
        ("streams", str(status["streams"])),
        ("tokens/s out", number(rates["output_tokens_per_s"])),
        ("first token p99", seconds(first["p99"])),
        ("waiting", str(waiting)),
        ("errors/s", number(rates["errors_per_s"])),
        ("whole call p95", seconds(whole["p95"])),
        ("connections", str(status["connections"])),
        ("cache hits", "-" if hits is None else f"{hits:.1%}"),
        ("loop lag", seconds(status["event_loop_lag_s"])),
        ("cost", costs or "-"),
    ]
    table = Table.grid(padding=(0, 2))
    columns = min(max(width // _NUMBER_CELLS, 1), 3)
    for _ in range(columns):
        table.add_column(style="dim", no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=9)
    for at in range(0, len(rows), columns):
        table.add_row(*(cell for row in rows[at : at + columns] for cell in row))
    return table


def _accounts(accounts: Iterable[Mapping[str, Any]], width: int) -> Table:
    """Return a line an account; in little room without bars, in less without what can wait."""
    is_narrow, is_small = width < NARROW, width < _SMALL
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ACCOUNT", overflow="fold")
    table.add_column("STATE", no_wrap=True)
    table.add_column("CALLS", justify="right")
    if not is_small:
        table.add_column("WAIT", justify="right")
    for _, head in _LIMITS:
        table.add_column(head, no_wrap=True)
    if not is_small:
        table.add_column("CACHE", justify="right")
    table.add_column("WHY", overflow="fold")
    for each in accounts:
        limits = each.get("limits", {})
        table.add_row(
            Text(each["account"]),
            Text(each["state"], style=_STATES.get(each["state"], "")),
            str(each["in_flight"]),
            *(() if is_small else (str(each["waiting"]),)),
            *(bar(limits.get(name), 0 if is_narrow else BAR_CELLS) for name, _ in _LIMITS),
            *(() if is_small else (share_text(each.get("cached_share")),)),
            Text(why_out(each)),
        )
    return table


def bar(share: float | None, cells: int = BAR_CELLS) -> Text:
    """Return how full a limit is: a bar and a percentage; `-` where no limit is known."""
    if share is None:
        return Text("-", style="dim")
    style = "red" if share > FULL else "yellow" if share > NEARLY_FULL else "green"
    text = Text()
    if cells:
        eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
        full, rest = divmod(eighths, 8)
        part = _EIGHTHS[rest] if rest else ""
        text.append(_EIGHTHS[8] * full + part, style)
        text.append("─" * (cells - len(text)), "dim")
        text.append(" ")
    text.append(f"{share:4.0%}", "" if cells else style)
    return text


def number(value: float) -> str:
    """Return a rate in four figures at most: `0.25`, `12.5`, `3 400`."""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def seconds(value: float | None) -> str:
    """Return a time as people read it; `-` where there is none."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def span(length_s: float) -> str:
    """Return how long something has lasted: `3 h 12 min`."""
    minutes, rest_s = divmod(int(length_s), 60)
    if not minutes:
        return f"{rest_s} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest_s} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def _errors(classes: Mapping[str, float]) -> Text:
    found = list(_pairs(classes))
    return Text("   ".join(found), style="yellow") if found else Text("none", style="green")


def _pairs(classes: Mapping[str, float]) -> Iterator[str]:
    for name, rate in sorted(classes.items(), key=lambda each: -each[1]):
        yield f"{name.replace('_', ' ')} {number(rate)}"
