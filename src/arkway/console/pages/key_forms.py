"""The dialogs of keys: make, edit, rotate, revoke. The text of a key is shown once, in one."""

from collections.abc import Awaitable, Callable
from typing import Any

from arkway.console import forms
from arkway.console.scene import Scene
from arkway.console.views import keys as view
from arkway.console.widgets import Form, Modal, Secret, box, button

Then = Callable[[], Awaitable[None]]


async def edit(scene: Scene, key: dict[str, Any] | None, then: Then) -> None:
    """Ask for the rules of a key; None: of a new one."""
    t = scene.t
    tenants = [each["name"] for each in await scene.items("list_tenants", limit=200)]
    models = [each["name"] for each in await scene.items("list_models", limit=200)]
    title = t("keys.create") if key is None else t("keys.edit_of", name=key["name"])
    with scene.client.content:
        dialog = Modal(title, t("keys.form_lead"))
    with dialog:
        fields = view.fields(t, key, tenants, models)
        form = Form(
            fields, submit=t("keys.create" if key is None else "say.save"), cancel=t("say.cancel")
        )
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        if key is None:
            made = await scene.do("create_key", body=view.body(values))
            dialog.delete()
            show_text(scene, made, then)
            return
        if change := view.change(values, key):
            await scene.do("edit_key", path={"key": key["id"]}, body=change)
        dialog.delete()
        scene.say(t("say.saved"))
        await then()

    form.on_send(scene.acting(send, form))


def show_text(scene: Scene, made: dict[str, Any], then: Then) -> None:
    """Show the text of a key, which nothing can show again."""
    t = scene.t
    with scene.client.content:
        title = t("keys.made", name=made["name"])
        dialog = Modal(title, t("keys.made_lead"), then=scene.acting(then))
    with dialog:
        Secret(made["key"], t("say.copy"), t("say.copied"))
        with box("foot"):
            # The browser closes it: then `closed` follows, as it does after Esc.
            done = button(t("say.done"), lambda: None, "main-act")
            done.on("click", js_handler="(event) => event.target.closest('dialog').close()")


def rotate(scene: Scene, key: dict[str, Any], then: Then) -> None:
    """Ask how long the old text stays good."""
    t = scene.t
    with scene.client.content:
        dialog = Modal(t("keys.rotate_of", name=key["name"]), t("keys.rotate_lead"), small=True)
    with dialog:
        hours = forms.number("overlap_h", t("keys.overlap"), 24, min=0, max=2160, wide=True)
        form = Form([hours], submit=t("keys.rotate"), cancel=t("say.cancel"))
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        body = {"overlap_h": forms.whole(values, "overlap_h")}
        made = await scene.do("rotate_key", path={"key": key["id"]}, body=body)
        dialog.delete()
        show_text(scene, made, then)

    form.on_send(scene.acting(send, form))


def revoke(scene: Scene, key: dict[str, Any], then: Then) -> None:
    """Ask whether a key is to end."""
    t = scene.t
    with scene.client.content:
        dialog = Modal(t("keys.revoke_of", name=key["name"]), t("keys.revoke_lead"), small=True)

    async def do() -> None:
        await scene.do("revoke_key", path={"key": key["id"]})
        dialog.delete()
        scene.say(t("keys.did_revoke", name=key["name"]))
        await then()

    with dialog, box("foot"):
        button(t("say.cancel"), dialog.delete)
        button(t("keys.revoke"), scene.acting(do), "main-act danger")


def add_tenant(scene: Scene, then: Then) -> None:
    """Ask for the name of a tenant."""
    t = scene.t
    with scene.client.content:
        dialog = Modal(t("keys.add_tenant"), t("keys.tenant_lead"), small=True)
    with dialog:
        name = forms.text("name", t("keys.name"), required=True, wide=True)
        form = Form([name], submit=t("keys.add_tenant"), cancel=t("say.cancel"))
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        made = await scene.do("create_tenant", body={"name": forms.taken(values, "name") or ""})
        dialog.delete()
        scene.say(t("keys.did_tenant", name=made["name"]))
        await then()

    form.on_send(scene.acting(send, form))
