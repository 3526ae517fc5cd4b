"""Accounts: how full each is, how it is, and what it takes to add one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from arkway.console import cells, formats, forms
from arkway.console.cells import Cell, Column, Row
from arkway.console.forms import Field, Values
from arkway.console.live import AccountNow, Live, Use
from arkway.console.texts import Texts
from arkway.console.views import faults

Document = Mapping[str, Any]
LIMITS = ("requests_per_min", "tokens_per_min", "in_flight")
_USE_LIMITS = {"requests": "requests_per_min", "tokens": "tokens_per_min", "in_flight": "in_flight"}
_GOOD = ("up", "healthy", "ok", "in")


def columns(t: Texts) -> list[Column]:
    """Return the columns of `rows`."""
    return [
        cells.column("name", t("accounts.name")),
        cells.column("state", t("accounts.state")),
        cells.column("use", t("accounts.use")),
        cells.column("errors", t("accounts.errors"), num=True),
        cells.column("hit", t("accounts.hit"), num=True),
        cells.column("spend", t("accounts.spend"), num=True),
    ]


def rows(
    t: Texts,
    accounts: Sequence[Document],
    now: Live,
    today: Iterable[Document],
    acts: Sequence[str],
) -> list[Row]:
    """Return the accounts as lines. Shapes: acts: which of their buttons are offered."""
    by_account: dict[str, list[AccountNow]] = {}
    for each in now.accounts:
        by_account.setdefault(each.account, []).append(each)
    used = _sums(today)
    return [
        _row(
            t,
            account,
            by_account.get(account["name"], []),
            used.get(account["name"], {}),
            faults.cell(account["name"], now),
            acts,
        )
        for account in accounts
    ]


def _sums(today: Iterable[Document]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in today:
        sums = found.setdefault(line["account"], {})
        for name in ("attempts", "unknown", "cached", "cost_nano", "uncached", "created"):
            sums[name] = sums.get(name, 0) + line[name]
    return found


def _row(
    t: Texts,
    account: Document,
    now: Sequence[AccountNow],
    used: Mapping[str, int],
    errors: Cell,
    acts: Sequence[str],
) -> Row:
    name = account["name"]
    whole = used.get("uncached", 0) + used.get("created", 0) + used.get("cached", 0)
    first = [each.first_token_s for each in now if each.first_token_s]
    waiting = sum(each.waiting for each in now)
    limited = max((each.limited for each in now), default=0)
    credential = t.word("credential", account["credential"])
    found = state(t, account, now)
    notes = [t("accounts.limited", n=limited)] if limited else []
    notes += [t("accounts.waiting", n=waiting)] if waiting else []
    return cells.row(
        name,
        name,
        [
            cells.text(name, f"{credential} · {account['base_url']}", strong=True),
            {**found, "sub": " · ".join(filter(None, (str(found["sub"]), *notes))), "wrap": True},
            cells.meters(meters(t, account, now), t("accounts.no_limits")),
            errors,
            cells.text(
                formats.share(used.get("cached", 0) / whole) if whole else formats.NOTHING,
                t("accounts.first", n=formats.millis(1000 * sum(first) / len(first)))
                if first
                else "",
            ),
            cells.text(
                formats.money(used.get("cost_nano", 0)),
                t("accounts.attempts", n=formats.count(used.get("attempts", 0))),
            ),
        ],
        [each for each in _acts(t, account) if each["name"] in acts],
    )


def _acts(t: Texts, account: Document) -> list[Cell]:
    is_off = account["is_draining"] or not account["enabled"]
    return [
        cells.act("test", t("accounts.test")),
        cells.act("edit", t("accounts.edit")),
        cells.act("enable", t("accounts.enable"))
        if is_off
        else cells.act("drain", t("accounts.drain")),
        cells.act("remove", t("accounts.remove"), danger=True),
    ]


def state(t: Texts, account: Document, now: Sequence[AccountNow]) -> Cell:
    """Return how an account is and why: what an operator said goes before what was found."""
    if not account["enabled"]:
        return cells.dot(t("accounts.disabled"), "")
    if account["is_draining"]:
        return cells.dot(t("accounts.draining"), "warn")
    out = next((each for each in now if each.state and each.state not in _GOOD), None)
    if out is None:
        return cells.dot(t("accounts.up"), "good") if now else cells.dot(t("accounts.unknown"), "")
    back = ""
    if out.returns_in_s is not None:
        back = t("accounts.returns", s=formats.lasting(out.returns_in_s))
    why = " · ".join(filter(None, (out.model, t.word("reason", out.reason), back)))
    tone = "warn" if out.state in ("draining", "partly", "slow_start") else "bad"
    return cells.dot(t.word("health", out.state), tone, why)


def meters(t: Texts, account: Document, now: Sequence[AccountNow]) -> list[Cell]:
    """Return a bar for each limit: its use by the model that is nearest to it."""
    fullest: dict[str, tuple[float, str, Use, float]] = {}
    for each in now:
        for use in each.uses:
            limit = use.limit or account.get(_USE_LIMITS[use.kind])
            if limit and use.used / limit >= fullest.get(use.kind, (-1.0,))[0]:
                fullest[use.kind] = (use.used / limit, each.model, use, float(limit))
    found = [_meter(t, model, use, limit) for _, model, use, limit in fullest.values()]
    if found:
        return found
    return [
        cells.meter(t(f"limit.{name}"), 0, float(limit), formats.short(limit), t(f"short.{name}"))
        for name in LIMITS
        if (limit := account[name])
    ]


def _meter(t: Texts, model: str, use: Use, limit: float) -> Cell:
    name = _USE_LIMITS[use.kind]
    label = t(f"limit.{name}") + (f", {model}" if model else "")
    if use.is_learned:
        label += f", {t('accounts.learned')}"
    shown = f"{formats.short(use.used)} / {formats.short(limit)}"
    return cells.meter(
        label, use.used, limit, shown, t(f"short.{name}") + ("*" if use.is_learned else "")
    )


def fields(t: Texts, account: Document | None) -> list[Field]:
    """Return the form of an account; None: of a new one."""
    there: Mapping[str, Any] = account or {
        "dialect": "ark",
        "base_url": "https://ark.cn-beijing.volces.com/api/v3",
        "enabled": True,
        "weight": 1,
    }
    made = (
        []
        if account
        else [forms.text("name", t("accounts.name"), required=True, hint=t("accounts.name_hint"))]
    )
    made += [
        forms.select("dialect", t("accounts.dialect"), _DIALECTS, there["dialect"]),
        forms.text("base_url", t("accounts.base_url"), there["base_url"], wide=True),
        {
            "name": "credential",
            "label": t("accounts.credential"),
            "kind": "password",
            "value": "",
            "hint": t(
                "accounts.credential_hint" if account is None else "accounts.credential_keep"
            ),
        },
        forms.text(
            "key_env", t("accounts.key_env"), there.get("key_env"), hint=t("accounts.key_env_hint")
        ),
        *(
            forms.number(
                name, t(f"limit.{name}"), there.get(name), min=1, hint=t("accounts.limit_hint")
            )
            for name in LIMITS
        ),
        forms.number("weight", t("accounts.weight"), there["weight"], min=1, max=1000),
        forms.lines(
            "models",
            t("accounts.models"),
            [f"{name} = {value}" for name, value in there.get("models", {}).items()],
            hint=t("accounts.models_hint"),
            placeholder="doubao-seed-1-6 = ep-20260101000000-abcde",
            wide=True,
        ),
        forms.check(
            "only_listed_models", t("accounts.only"), value=there.get("only_listed_models", False)
        ),
        forms.check("enabled", t("accounts.enabled"), value=there["enabled"]),
    ]
    return made


_DIALECTS = (("ark", "Volcengine Ark"), ("openai", "OpenAI-compatible"))


def body(values: Values) -> dict[str, Any]:
    """Return what the API is asked for, of a form's values."""
    made: dict[str, Any] = {
        "dialect": forms.taken(values, "dialect"),
        "base_url": forms.taken(values, "base_url") or "",
        "key_env": forms.taken(values, "key_env"),
        **{name: forms.whole(values, name) for name in LIMITS},
        "weight": forms.whole(values, "weight") or 1,
        "models": forms.table(values, "models"),
        "only_listed_models": values.get("only_listed_models") is True,
        "enabled": values.get("enabled") is True,
    }
    if credential := forms.taken(values, "credential"):
        made["credential"] = credential
    if name := forms.taken(values, "name"):
        made["name"] = name
    return made


def path_part(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="")
