"""Which days are asked about? The query of `GET /v1/usage`."""

import re
from datetime import UTC, date, datetime, timedelta

from arkway.model.errors import InvalidValue

USUAL_DAYS = 30
MAX_DAYS = 366  # a year at a time; the answer stays within a few thousand lines
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NAMES = ("start_date", "end_date")


def asked_days(query: bytes, now_ms: int) -> tuple[str, str]:
    """Return the first and the last UTC day of a query; by default the last USUAL_DAYS.

    Errors:  InvalidValue that names the parameter.
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    given: dict[str, date] = {}
    for pair in query.decode("latin-1").split("&") if query else ():
        name, _, value = pair.partition("=")
        if name not in _NAMES or name in given:
            raise InvalidValue(
                f"Unknown or repeated query parameter: '{name[:64]}'. Known: {', '.join(_NAMES)}.",
                param="query",
            )
        given[name] = _day(name, value)
    last = given.get("end_date", today)
    first = given.get("start_date", last - timedelta(days=USUAL_DAYS - 1))
    if not timedelta(0) <= last - first < timedelta(days=MAX_DAYS):
        raise InvalidValue(
            f"'start_date' must be at most {MAX_DAYS - 1} days before 'end_date'.",
            param="start_date",
        )
    return first.isoformat(), last.isoformat()


def _day(name: str, value: str) -> date:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise InvalidValue(f"Invalid value for '{name}': expected a day as 2026-11-24.", param=name)
