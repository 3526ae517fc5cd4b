"""One API key: its rules, its budget, and what it did."""

from typing import Any

from arkway.console import formats
from arkway.console.pages import key_forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import calls as calls_view
from arkway.console.views import keys as view
from arkway.console.views import usage as usage_view
from arkway.console.widgets import Grid, Tiles, box, button, chart, empty, link, pairs, panel
from arkway.store.admin_tokens import Role

_CALLS = 10


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    key = await scene.do("get_key", path={"key": scene.part["key"]})
    now_ms = scene.visitor.api.desk.now_ms()
    today = formats.day(now_ms)
    month = view.since("days", today)
    asked = {"by": "day", "key": key["id"], "limit": 2000}
    days = await scene.items("list_usage", since=month, **asked)
    period = days
    if key["budget_period"] == "total":
        period = await scene.items("list_usage", **asked)
    calls = await scene.items("list_calls", key=key["id"], limit=_CALLS)
    burn = view.burn(t, key, period, today)

    above = ((t("nav.keys"), "/keys"),)
    with frame(scene, Place("keys", key["name"], key["id"], above)):
        _actions(scene, key)
        Tiles(key["name"], usage_view.sum_tiles(t, days, t("keys.last_30")))
        with box("cols"):
            with panel(t("keys.rules"), "", "span4"):
                pairs(_rules(scene, key, now_ms / 1000))
            with panel(t("keys.burn"), t(f"period.{key['budget_period']}"), "span8"):
                if burn is not None:
                    chart(burn, t("keys.burn"))
                else:
                    empty(t("keys.no_burn"), t("keys.no_burn_lead"))
        with box("cols"), panel(t("usage.tokens_by_day"), t("keys.last_30"), "span12"):
            chart(usage_view.token_chart(t, days), t("usage.tokens_by_day"))
        with panel(t("keys.its_calls")) as body:
            body.classes("flush", remove="body")
            if calls:
                names = {key["id"]: key["name"]}
                rows = [calls_view.row(t, call, names) for call in calls]
                Grid(t("keys.its_calls"), calls_view.columns(t), rows)
                with box("more"):
                    link(t("overview.all_calls"), f"/calls?key={key['id']}")
            else:
                empty(t("keys.no_calls"), t("keys.no_calls_lead"))


def _actions(scene: Scene, key: dict[str, Any]) -> None:
    t = scene.t
    if key["revoked_unix_ms"] or not scene.may(Role.OPERATOR):
        return

    async def again() -> None:
        scene.go(view.path_of(key["id"]))

    with box("row"):
        button(t("keys.edit"), scene.acting(lambda: key_forms.edit(scene, key, again)), "main-act")
        button(t("keys.rotate"), lambda: key_forms.rotate(scene, key, again))
        button(t("keys.revoke"), lambda: key_forms.revoke(scene, key, again), "danger")


def _rules(scene: Scene, key: dict[str, Any], now_s: float) -> list[tuple[str, str]]:
    t = scene.t
    state = view.state(t, key, now_s)
    found = [
        (t("keys.state"), " · ".join(filter(None, (str(state["text"]), str(state["sub"]))))),
        (t("keys.tenant"), key["tenant"]),
        (t("keys.models"), ", ".join(key["models"]) or t("keys.all_models")),
        (t("keys.budget_cny"), key["budget"] or t("keys.no_budget")),
        (t("keys.period"), t(f"period.{key['budget_period']}")),
    ]
    found += [
        (t(f"keys.{name}"), formats.count(key[name]) if key[name] else formats.NOTHING)
        for name in view.LIMITS
    ]
    return [
        *found,
        (t("keys.allowed"), ", ".join(key["allowed_networks"]) or t("say.all")),
        (t("keys.denied"), ", ".join(key["denied_networks"]) or formats.NOTHING),
        (t("keys.leaving"), t(f"leaving.{key['on_disconnect']}")),
        (t("keys.created"), formats.moment(key["created_unix_ms"])),
    ]
