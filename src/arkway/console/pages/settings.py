"""Settings: what this process runs with, and where each value comes from."""

from itertools import groupby
from typing import Any

from arkway.console import cells, formats
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.widgets import Grid, Tiles, banner, panel


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    found = await scene.items("list_settings", limit=200)
    health = await scene.do("get_health")
    control, worker = health["control"], health["worker"]
    with frame(scene, Place("settings", t("nav.settings"), t("settings.lead"))):
        state = (
            t("state.ready")
            if worker["is_ready"]
            else t.word("state", worker["status"].replace(" ", "_"))
        )
        figures = (
            ("settings.version", control["version"], ""),
            ("settings.worker", state, ""),
            (
                "settings.revision",
                formats.count(control["revision"]),
                t("settings.schema", n=control["schema"]),
            ),
            ("settings.ledger", formats.short(health["ledger_rows"]), t("settings.rows")),
        )
        Tiles(
            t("nav.settings"),
            [
                {"label": t(label), "value": value, "unit": "", "sub": sub, "tone": "", "title": ""}
                for label, value, sub in figures
            ],
        )
        banner(t("settings.fixed"), t("settings.fixed_how"))
        for table, settings in groupby(found, lambda each: each["name"].partition(".")[0]):
            with panel(f"[{table}]", t.word("settings", table)) as body:
                body.classes("flush", remove="body")
                Grid(f"[{table}]", _columns(scene), [_row(scene, each) for each in settings])


def _columns(scene: Scene) -> list[dict[str, Any]]:
    return [
        cells.column(name, scene.t(f"settings.{name}"))
        for name in ("name", "value", "source", "what")
    ]


def _row(scene: Scene, found: dict[str, Any]) -> dict[str, Any]:
    is_default = found["source"] == "default"
    value = _shown(found["value"])
    return cells.row(
        found["name"],
        "",
        [
            cells.code(found["name"], found["variable"]),
            cells.text(
                value,
                "" if is_default else f"{scene.t('settings.default')}: {_shown(found['default'])}",
            ),
            cells.tag(
                scene.t.word("setting_source", found["source"]), "" if is_default else "info"
            ),
            cells.text(found["description"], found["rule"], wrap=True),
        ],
    )


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
