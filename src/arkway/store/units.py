"""How are amounts and ends of validity written by people? Decimal money, days and dates. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from arkway.store.entries import MAX_NANO, MAX_UNIX_S

NANO = 1_000_000_000
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,9})?")
_DAYS = re.compile(r"(\d{1,4})d", re.ASCII)
_DAY_S = 86_400
_MAX_DAYS = 3650

AMOUNT_RULE = "must be a decimal number of CNY with at most 9 decimals, such as 12.50"
EXPIRY_RULE = "must be days such as 30d, a date such as 2030-01-31 (UTC), or none"


def nano(amount: str) -> int:
    """Return a decimal amount in nano-units, exactly.

    Errors:  ValueError with the rule.
    """
    if not _AMOUNT.fullmatch(amount) or not amount.isascii():
        raise ValueError(AMOUNT_RULE)
    whole = int(Decimal(amount) * NANO)
    if whole > MAX_NANO:
        raise ValueError(AMOUNT_RULE)
    return whole


def decimal(amount_nano: int) -> str:
    """Return nano-units as the shortest decimal text with two decimals or more."""
    whole, rest = divmod(amount_nano, NANO)
    return f"{whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def expiry(text: str, now_unix_s: int) -> int | None:
    """Return when what lives for `text` ends; None: never.

    A date ends with its beginning: a key that expires 2030-01-31 is not accepted on that day.
    Shapes:  text: `30d`, `2030-01-31`, `2030-01-31T08:00:00+08:00`, `none`.
    Errors:  ValueError with the rule.
    """
    if text == "none":
        return None
    if (days := _DAYS.fullmatch(text)) and 0 < int(days[1]) <= _MAX_DAYS:
        return now_unix_s + int(days[1]) * _DAY_S
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        unix_s = int(moment.timestamp())
    except (ValueError, OverflowError):
        raise ValueError(EXPIRY_RULE) from None
    if not now_unix_s < unix_s <= MAX_UNIX_S:
        raise ValueError("must be in the future")
    return unix_s


def date(unix_s: int | None) -> str:
    """Return a moment as people read it, in UTC; `never` for None."""
    if unix_s is None:
        return "never"
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
