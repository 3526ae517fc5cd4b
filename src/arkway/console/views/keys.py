"""API keys: their rules, what is used of them, and what it takes to make one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from arkway.console import cells, charts, formats, forms
from arkway.console.cells import Cell, Column, Row
from arkway.console.forms import Field, Values
from arkway.console.texts import Texts

Document = Mapping[str, Any]
LIMITS = ("requests_per_min", "tokens_per_min", "concurrency", "total_tokens")
NEARLY = 0.8  # of a budget: the gateway's log warns from there on, too
PERIODS = ("day", "month", "total")


def columns(t: Texts) -> list[Column]:
    """Return the columns of `row`."""
    return [
        cells.column("name", t("keys.name")),
        cells.column("tenant", t("keys.tenant")),
        cells.column("state", t("keys.state")),
        cells.column("budget", t("keys.budget")),
        cells.column("limits", t("keys.limits")),
        cells.column("spend", t("keys.thirty"), num=True),
    ]


def row(
    t: Texts, key: Document, used: Mapping[str, Mapping[str, Document]], now_s: float, *, acts: bool
) -> Row:
    """Return a key as a line. Shapes: used: period -> key's id -> usage in it."""
    month = used["days"].get(key["id"], {})
    offered = (
        []
        if key["revoked_unix_ms"] or not acts
        else [
            cells.act("edit", t("keys.edit")),
            cells.act("rotate", t("keys.rotate")),
            cells.act("revoke", t("keys.revoke"), danger=True),
        ]
    )
    return cells.row(
        key["id"],
        key["name"],
        [
            cells.text(key["name"], key["id"], href=path_of(key["id"]), strong=True),
            cells.text(key["tenant"]),
            state(t, key, now_s),
            budget(t, key, used[key["budget_period"]].get(key["id"], {})),
            cells.text(limits(t, key), ", ".join(key["models"])),
            cells.text(
                formats.money(month.get("cost_nano", 0)),
                t("keys.calls", n=formats.count(month.get("settled", 0))),
            ),
        ],
        offered,
    )


def path_of(key: str) -> str:
    """Return the page of a key."""
    return f"/keys/{quote(key, safe='')}"


def state(t: Texts, key: Document, now_s: float) -> Cell:
    """Return whether a key is accepted, and until when."""
    if key["revoked_unix_ms"]:
        return cells.dot(t("keys.revoked"), "bad", formats.moment(key["revoked_unix_ms"]))
    if not key["enabled"]:
        return cells.dot(t("keys.disabled"), "")
    ends_s = key["expires_unix_s"]
    if ends_s is None:
        return cells.dot(t("keys.active"), "good")
    if ends_s <= now_s:
        return cells.dot(t("keys.expired"), "bad", formats.moment(ends_s * 1000))
    left = formats.lasting(ends_s - now_s)
    tone = "warn" if ends_s - now_s < 7 * 86_400 else "good"
    return cells.dot(t("keys.active"), tone, t("keys.ends_in", left=left))


def budget(t: Texts, key: Document, used: Document) -> Cell:
    """Return how much of a key's budget is gone."""
    limit = key["budget_nano"]
    if limit is None:
        return cells.text(t("keys.no_budget"))
    spent = used.get("cost_nano", 0)
    shown = f"{formats.money(spent)} / {formats.money(limit)}"
    period = t(f"within.{key['budget_period']}")
    return cells.meters([cells.meter(t("keys.budget"), spent, limit, shown, period)])


def nearly_spent(
    keys: Iterable[Document], used: Mapping[str, Mapping[str, Document]]
) -> list[tuple[str, float]]:
    """Return the keys in use whose budget is nearly gone, and how much of it is; worst first.

    Shapes:  used: period -> key's id -> usage in it.
    """
    found = []
    for key in keys:
        if key["budget_nano"] and key["enabled"] and not key["revoked_unix_ms"]:
            spent = used[key["budget_period"]].get(key["id"], {}).get("cost_nano", 0)
            found.append((str(key["name"]), spent / key["budget_nano"]))
    return sorted((each for each in found if each[1] >= NEARLY), key=lambda each: -each[1])


def limits(t: Texts, key: Document) -> str:
    """Return a key's limits in a line."""
    found = [
        t(f"keys.short_{name}", n=formats.short(value)) for name in LIMITS if (value := key[name])
    ]
    return " · ".join(found) or t("keys.no_limits")


def by_key(lines: Iterable[Document]) -> dict[str, Document]:
    """Return usage by key's id; of several currencies, the sum of counts and the first's money."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        there = found.get(line["key"])
        if there is None:
            found[line["key"]] = dict(line)
        else:
            there["settled"] += line["settled"]
            there["cost_nano"] += line["cost_nano"]
    return dict(found)


def since(period: str, today: str) -> str:
    """Return the first day of a period; empty for all time."""
    if period == "days":
        return (datetime.fromisoformat(today) - timedelta(days=29)).strftime("%Y-%m-%d")
    return {"day": today, "month": f"{today[:8]}01", "total": ""}[period]


def fields(
    t: Texts, key: Document | None, tenants: Sequence[str], models: Sequence[str]
) -> list[Field]:
    """Return the form of a key; None: of a new one."""
    there: Mapping[str, Any] = key or {}
    expires = formats.day(there["expires_unix_s"] * 1000) if there.get("expires_unix_s") else ""
    periods = [(name, t(f"period.{name}")) for name in PERIODS]
    leaving = [(name, t(f"leaving.{name}")) for name in ("cancel", "drain")]
    return [
        forms.text("name", t("keys.name"), there.get("name"), required=True),
        forms.text(
            "tenant", t("keys.tenant"), there.get("tenant", "default"), choices=list(tenants)
        ),
        forms.text(
            "expires", t("keys.expires"), expires, placeholder="30d", hint=t("keys.expires_hint")
        ),
        forms.text(
            "models",
            t("keys.models"),
            ", ".join(there.get("models", ())),
            hint=t("keys.models_hint", names=", ".join(models[:3])),
        ),
        forms.text("budget", t("keys.budget_cny"), there.get("budget"), placeholder="50.00"),
        forms.select(
            "budget_period", t("keys.period"), periods, there.get("budget_period", "month")
        ),
        *(forms.number(name, t(f"keys.{name}"), there.get(name), min=1) for name in LIMITS),
        forms.lines(
            "allowed_networks",
            t("keys.allowed"),
            there.get("allowed_networks", ()),
            placeholder="10.0.0.0/8",
            hint=t("keys.allowed_hint"),
            rows=2,
        ),
        forms.lines("denied_networks", t("keys.denied"), there.get("denied_networks", ()), rows=2),
        forms.select(
            "on_disconnect", t("keys.leaving"), leaving, there.get("on_disconnect", "cancel")
        ),
        forms.check("enabled", t("keys.enabled"), value=there.get("enabled", True)),
    ]


def body(values: Values) -> dict[str, Any]:
    """Return what the API is asked for, of a form's values."""
    return {
        "name": forms.taken(values, "name") or "",
        "tenant": forms.taken(values, "tenant") or "default",
        "expires": forms.taken(values, "expires") or "none",
        "models": forms.listed(values, "models"),
        "budget": forms.taken(values, "budget"),
        "budget_period": forms.taken(values, "budget_period"),
        **{name: forms.whole(values, name) for name in LIMITS},
        "allowed_networks": forms.listed(values, "allowed_networks"),
        "denied_networks": forms.listed(values, "denied_networks"),
        "on_disconnect": forms.taken(values, "on_disconnect"),
        "enabled": values.get("enabled") is True,
    }


def change(values: Values, key: Document) -> dict[str, Any]:
    """Return what of a form differs from the key as it is."""
    wanted = forms.changed(body(values), key)
    there_s = key["expires_unix_s"]
    there = "none" if there_s is None else formats.day(there_s * 1000)
    if wanted.get("expires") == there:
        del wanted["expires"]
    return wanted


def burn(t: Texts, key: Document, days: Sequence[Document], today: str) -> dict[str, Any] | None:
    """Return what is left of this period's budget by day; None without a budget of some days.

    Shapes:  days: usage by day, in order.
    """
    limit = key["budget_nano"]
    if limit is None or key["budget_period"] == "day" or not limit:
        return None
    first = since("month", today) if key["budget_period"] == "month" else None
    labels = _days_of_period(first, [line["day"] for line in days], today)
    cost: dict[str, int] = {}
    for line in days:
        cost[line["day"]] = cost.get(line["day"], 0) + line["cost_nano"]
    spent: list[float | None] = []
    total = 0
    for label in labels:
        total += cost.get(label, 0)
        spent.append(round(total / formats.NANO, 6) if label <= today else None)
    names = (t("keys.left"), t("keys.even"))
    return charts.burn([label[5:] for label in labels], spent, limit / formats.NANO, names)


def _days_of_period(first: str | None, used: Sequence[str], today: str) -> list[str]:
    begin = datetime.fromisoformat(first or (used[0] if used else today)).replace(tzinfo=UTC)
    if first:
        after = (begin + timedelta(days=32)).replace(day=1)
        count = (after - begin).days
    else:
        count = (datetime.fromisoformat(today).replace(tzinfo=UTC) - begin).days + 1
    return [(begin + timedelta(days=at)).strftime("%Y-%m-%d") for at in range(min(count, 366))]
