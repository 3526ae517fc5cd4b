"""How are a duration and a limit written in a header? OpenAI's way, which is Go's. Pure."""

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


def whole_ms(wait_s: float) -> int:
    """Return `wait_s` in milliseconds, rounded up so that waiting them is always enough.

    A clock read in floats is off by less than a microsecond; that much is added before rounding.
    """
    return int(wait_s * 1000 + 0.001) + 1 if wait_s > 0 else 0


def format_ms(ms: int) -> bytes:
    """Return `17ms`, `1.5s`, `6m0s`, `1h0m0.25s`; `0s` for nothing."""
    if ms < 1000:
        return b"%dms" % ms if ms else b"0s"
    hours, ms = divmod(ms, _HOUR_MS)
    minutes, ms = divmod(ms, _MINUTE_MS)
    seconds, ms = divmod(ms, 1000)
    text = b"%d.%03d" % (seconds, ms)
    text = text.rstrip(b"0").rstrip(b".") if ms else b"%d" % seconds
    if hours:
        return b"%dh%dm%bs" % (hours, minutes, text)
    if minutes:
        return b"%dm%bs" % (minutes, text)
    return text + b"s"


def rate_lines(what: bytes, limit: int, used: int, reset_s: float) -> bytes:
    """Return the three `x-ratelimit-*` lines of `what`: `requests` or `tokens`."""
    remaining = limit - used
    return (
        b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n"
        % (
            what,
            limit,
            what,
            remaining if remaining > 0 else 0,
            what,
            format_ms(whole_ms(reset_s)),
        )
    )
