"""What went wrong at the accounts lately, and what did a test of one find out?"""

from collections.abc import Mapping
from typing import Any

from arkway.console import cells, formats
from arkway.console.cells import Cell, Column, Row
from arkway.console.live import Live
from arkway.console.texts import Texts
from arkway.control.advice import case_of

_MAX_ROWS = 100  # the most frequent ones; the health of one account has all of its own


def cell(account: str, now: Live) -> Cell:
    """Return how often an account failed in the last hour, and how mostly."""
    found = [each for each in now.errors if each.account == account and each.hour]
    if not found:
        return cells.text(formats.NOTHING if now.source != "status" else "0")
    most = max(found, key=lambda each: each.hour)
    return cells.text(formats.count(sum(each.hour for each in found)), most.code)


def columns(t: Texts) -> list[Column]:
    """Return the columns of `rows`."""
    return [
        cells.column("account", t("accounts.errors_account")),
        cells.column("code", t("accounts.errors_code")),
        cells.column("class", t("accounts.errors_class")),
        cells.column("hour", t("accounts.errors_in_hour"), num=True),
        cells.column("day", t("accounts.errors_in_day"), num=True),
    ]


def rows(t: Texts, now: Live) -> list[Row]:
    """Return what went wrong, the most frequent of the last hour first."""
    ordered = sorted(now.errors, key=lambda each: (-each.hour, -each.day, each.account, each.code))
    return [
        cells.row(
            f"{each.account} {each.error_class} {each.code}",
            each.account,
            [
                cells.text(each.account, strong=True),
                cells.code(each.code),
                cells.text(t.word("fault", each.error_class), each.error_class, wrap=True),
                cells.text(formats.count(each.hour)),
                cells.text(formats.count(each.day)),
            ],
        )
        for each in ordered[:_MAX_ROWS]
    ]


def verdict(t: Texts, found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what a test came to: a headline, what to do, and a tone."""
    case = case_of(found["ending"], found["error_class"])
    if found["is_ok"]:
        return t("accounts.test_ok"), t(f"advice.{case}"), "good"
    return t("accounts.test_failed"), t(f"advice.{case}"), "bad"


def pairs(t: Texts, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a test found out, as names and values."""
    booked = found["booked"]
    read = booked["uncached"] + booked["cached"] + booked["created"]
    shown = [
        (t("accounts.test_model"), f"{found['model']} ({found['upstream_model']})"),
        (t("accounts.test_status"), str(found["status"] or formats.NOTHING)),
    ]
    if not found["is_ok"]:
        shown += [
            (t("accounts.test_code"), found["code"] or formats.NOTHING),
            (t("accounts.test_class"), t.word("fault", found["error_class"])),
        ]
    took, connect = formats.millis(found["took_ms"]), formats.millis(found["connected_ms"] or None)
    used = t(
        "accounts.test_used_value",
        i=formats.count(read),
        o=formats.count(booked["output"] + booked["reasoning"]),
        cost=formats.money(booked["cost_nano"], found["currency"] or "CNY"),
    )
    return [
        *shown,
        (t("accounts.test_took"), t("accounts.test_took_value", n=took, c=connect)),
        (t("accounts.test_used"), used),
        (t("accounts.test_call"), found["request_id"]),
    ]
