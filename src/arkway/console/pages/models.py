"""Models and prices: what is served, at which price, and how that price came to be."""

from typing import Any

from arkway.console import cells, formats, forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.widgets import Form, Grid, Modal, box, button, panel, words
from arkway.store.admin_tokens import Role

_AMOUNTS = ("input", "cached_input", "output", "cache_creation")


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    models = await scene.items("list_models", limit=200)
    prices = {each["model"]: each for each in await scene.items("list_prices", limit=200)}
    by_name = {each["name"]: each for each in models}

    async def act(name: str, wanted: str) -> None:
        if wanted == "price":
            _price(scene, name, prices.get(name))
        elif wanted == "edit":
            _edit(scene, by_name[name])
        elif wanted == "history":
            await _history(scene, name)

    with frame(scene, Place("models", t("nav.models"), t("models.lead"))):
        with box("row"):
            if scene.may(Role.ADMIN):
                button(t("models.add"), lambda: _edit(scene, None), "main-act")
            else:
                words(t("say.view_only"), "span", "faint")
        with panel(t("models.list"), t("models.price_note")) as body:
            body.classes("flush", remove="body")
            rows = [_row(scene, each, prices.get(each["name"])) for each in models]
            Grid(t("nav.models"), _columns(scene), rows, t("say.actions")).on_act(scene.acting(act))


def _columns(scene: Scene) -> list[dict[str, Any]]:
    t = scene.t
    return [
        cells.column("name", t("models.name")),
        cells.column("state", t("models.state")),
        cells.column("upstream", t("models.upstream")),
        cells.column("context", t("models.context"), num=True),
        cells.column("output", t("models.output"), num=True),
        *(cells.column(name, t(f"models.{name}_price"), num=True) for name in _AMOUNTS),
    ]


def _row(scene: Scene, model: dict[str, Any], price: dict[str, Any] | None) -> dict[str, Any]:
    t = scene.t
    acts = [cells.act("history", t("models.history"))]
    if scene.may(Role.ADMIN):
        acts = [
            cells.act("edit", t("models.edit")),
            cells.act("price", t("models.set_price")),
            *acts,
        ]
    if model["is_served"]:
        state = cells.dot(t("models.served"), "good")
    elif not model["enabled"]:
        state = cells.dot(t("models.disabled"), "")
    else:
        state = cells.dot(t("models.unpriced"), "warn", t("models.unpriced_why"))
    amounts = [
        price[name] if price and price[name] is not None else formats.NOTHING for name in _AMOUNTS
    ]
    return cells.row(
        model["name"],
        model["name"],
        [
            cells.text(model["name"], ", ".join(model["aliases"]), strong=True),
            state,
            cells.text(model["upstream_model"]),
            cells.text(formats.short(model["context_tokens"])),
            cells.text(formats.short(model["max_output_tokens"])),
            *(cells.text(amount) for amount in amounts),
        ],
        acts,
    )


def _price(scene: Scene, model: str, price: dict[str, Any] | None) -> None:
    t, there = scene.t, price or {}
    with scene.client.content:
        dialog = Modal(t("models.price_of", name=model), t("models.price_lead"))
    with dialog:
        fields = [
            forms.text(
                name,
                t(f"models.{name}_price"),
                there.get(name),
                required=name in ("input", "output"),
                hint=t("models.as_input") if name not in ("input", "output") else "",
            )
            for name in _AMOUNTS
        ]
        form = Form(fields, submit=t("models.set_price"), cancel=t("say.cancel"))
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        amounts = {name: forms.taken(values, name) for name in _AMOUNTS}
        given = {name: value for name, value in amounts.items() if value is not None}
        await scene.do("set_price", body={"model": model, "input": "", "output": "", **given})
        dialog.delete()
        scene.say(t("models.priced", name=model))
        scene.go("/models")

    form.on_send(scene.acting(send, form))


def _edit(scene: Scene, model: dict[str, Any] | None) -> None:
    t, there = scene.t, model or {"enabled": True}
    title = t("models.add") if model is None else t("models.edit_of", name=model["name"])
    with scene.client.content:
        dialog = Modal(title, t("models.form_lead"))
    fields = [] if model else [forms.text("name", t("models.name"), required=True)]
    fields += [
        forms.text(
            "upstream_model", t("models.upstream"), there.get("upstream_model"), required=True
        ),
        forms.number(
            "context_tokens", t("models.context"), there.get("context_tokens", 131_072), min=1
        ),
        forms.number(
            "max_output_tokens", t("models.output"), there.get("max_output_tokens", 16_384), min=1
        ),
        forms.text("aliases", t("models.aliases"), ", ".join(there.get("aliases", ())), wide=True),
        forms.check("enabled", t("models.enabled"), value=there["enabled"]),
    ]
    with dialog:
        form = Form(fields, submit=t("say.save"), cancel=t("say.cancel"))
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        body: dict[str, Any] = {
            "upstream_model": forms.taken(values, "upstream_model") or "",
            "context_tokens": forms.whole(values, "context_tokens"),
            "max_output_tokens": forms.whole(values, "max_output_tokens"),
            "aliases": forms.listed(values, "aliases"),
            "enabled": values.get("enabled") is True,
        }
        if model is None:
            name = forms.taken(values, "name") or ""
            await scene.do("create_model", body={"name": name, **body})
        elif change := forms.changed(body, model):
            await scene.do("edit_model", path={"model": model["name"]}, body=change)
        dialog.delete()
        scene.say(t("say.saved"))
        scene.go("/models")

    form.on_send(scene.acting(send, form))


async def _history(scene: Scene, model: str) -> None:
    t = scene.t
    found = await scene.items("list_prices", model=model, limit=50)
    with scene.client.content:
        dialog = Modal(t("models.history_of", name=model), t("models.history_lead"))
    columns = [
        cells.column("version", t("models.version"), num=True),
        cells.column("since", t("models.since"), nowrap=True),
        *(cells.column(name, t(f"models.{name}_price"), num=True) for name in _AMOUNTS),
    ]
    rows = [
        cells.row(
            str(each["version"]),
            "",
            [
                cells.text(each["version"]),
                cells.text(formats.moment(each["created_unix_ms"])),
                *(cells.text(each[name] or formats.NOTHING) for name in _AMOUNTS),
            ],
        )
        for each in found
    ]
    with dialog:
        Grid(t("models.history_of", name=model), columns, rows)
        with box("foot"):
            button(t("say.close"), dialog.delete)
