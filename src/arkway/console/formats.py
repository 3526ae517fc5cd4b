"""How are numbers, times and amounts written? Short, and the same everywhere. Pure."""

from datetime import UTC, datetime

NANO = 1_000_000_000
_STEPS = ((1_000_000_000, "B"), (1_000_000, "M"), (1000, "k"))
NOTHING = "\N{EN DASH}"


def count(value: float) -> str:
    """Return a whole number: `12 345`, with thin spaces, which no language reads as a point."""
    return f"{value:,.0f}".replace(",", "\u202f")


def short(value: float) -> str:
    """Return a number in three figures: `1.25M`."""
    for size, letter in _STEPS:
        if abs(value) >= size * 0.9995:
            return f"{_figures(value / size)}{letter}"
    return _figures(value)


def _figures(value: float) -> str:
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(part: float | None) -> str:
    """Return a share as per cent: `83.4 %`; a dash for none."""
    if part is None:
        return NOTHING
    if 0 < part < 0.001:
        return "< 0.1 %"
    return f"{100 * part:.1f} %"


def money(nano: int, currency: str = "CNY") -> str:
    """Return an amount as people read it: `¥12.35`; below a cent, with four figures."""
    value = nano / NANO
    sign = "¥" if currency in ("CNY", "") else f"{currency} "
    if nano == 0:
        return f"{sign}0"
    digits = 2 if abs(value) >= 1 else 4 if abs(value) >= 0.01 else 6
    return f"{'-' if nano < 0 else ''}{sign}{abs(value):,.{digits}f}"


def millis(ms: float | None) -> str:
    """Return a duration: `820 ms`, `3.42 s`, `2 min 5 s`."""
    if ms is None:
        return NOTHING
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.2f} s"
    return f"{ms // 60_000:.0f} min {ms % 60_000 / 1000:.0f} s"


def moment(unix_ms: int | None) -> str:
    """Return a time in UTC, to the second."""
    if unix_ms is None:
        return NOTHING
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(unix_ms: int | None) -> str:
    """Return a day in UTC."""
    return NOTHING if unix_ms is None else moment(unix_ms)[:10]


def clock(unix_ms: int) -> str:
    """Return the time of day in UTC."""
    return moment(unix_ms)[11:]


def lasting(seconds: float) -> str:
    """Return a long duration in two units: `3 d 4 h`."""
    whole = int(seconds)
    for size, one, less, two in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {one} {whole % size // less} {two}"
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"


def tone_of_share(part: float) -> str:
    """Return the tone of a limit that is used by so much."""
    return "bad" if part >= 0.95 else "warn" if part >= 0.8 else ""
