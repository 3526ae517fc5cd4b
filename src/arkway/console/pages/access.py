"""Access: admin tokens and the sessions of browsers."""

from typing import Any

from arkway.console import cells, formats, forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.widgets import Form, Grid, Modal, Secret, banner, box, button, empty, panel
from arkway.store.admin_tokens import Role


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    with frame(scene, Place("access", t("nav.access"), t("access.lead"))) as body:
        pass
    if not scene.may(Role.ADMIN):
        with body:
            banner(t("access.admins"), t("access.admins_why"))
        return
    tokens = await scene.items("list_tokens", limit=200)
    sessions = await scene.items("list_sessions", limit=200)
    with body:
        with box("row"):
            button(t("access.create"), lambda: _create(scene), "main-act")
        with panel(t("access.tokens"), t("access.tokens_note")) as inner:
            inner.classes("flush", remove="body")
            rows = [_token(scene, each) for each in tokens]
            grid = Grid(t("access.tokens"), _columns(scene, _TOKEN), rows, t("say.actions"))
            grid.on_act(scene.acting(lambda token, _: _revoke(scene, token, tokens)))
        with panel(t("access.sessions")) as inner:
            if not sessions:
                empty(t("access.no_sessions"), t("access.no_sessions_lead"))
                return
            inner.classes("flush", remove="body")
            names = {each["id"]: each["name"] for each in tokens}
            rows = [_session(scene, each, names) for each in sessions]
            grid = Grid(t("access.sessions"), _columns(scene, _SESSION), rows, t("say.actions"))
            grid.on_act(scene.acting(lambda session, _: _end(scene, session)))


_TOKEN = ("name", "role", "state", "created")
_SESSION = ("name", "from", "begun", "seen", "ends")


def _columns(scene: Scene, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [cells.column(name, scene.t(f"access.{name}")) for name in names]


def _token(scene: Scene, found: dict[str, Any]) -> dict[str, Any]:
    t = scene.t
    revoked = found["revoked_unix_ms"]
    state = cells.dot(t("keys.revoked"), "bad") if revoked else cells.dot(t("keys.active"), "good")
    return cells.row(
        found["id"],
        found["name"],
        [
            cells.text(found["name"], found["id"], strong=True),
            cells.text(t.word("role", found["role"])),
            state,
            cells.text(formats.moment(found["created_unix_ms"])),
        ],
        [] if revoked else [cells.act("revoke", t("keys.revoke"), danger=True)],
    )


def _session(scene: Scene, found: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    session = scene.visitor.principal.session
    is_own = session is not None and session.id == found["id"]
    name = names.get(found["token_id"], found["token_id"])
    return cells.row(
        found["id"],
        name,
        [
            cells.text(name, scene.t("access.this_one") if is_own else ""),
            cells.text(found["address"]),
            cells.text(formats.moment(found["created_unix_ms"])),
            cells.text(formats.moment(found["seen_unix_ms"])),
            cells.text(formats.moment(found["ends_unix_ms"])),
        ],
        [cells.act("end", scene.t("access.end"), danger=True)],
    )


def _create(scene: Scene) -> None:
    t = scene.t
    with scene.client.content:
        dialog = Modal(t("access.create"), t("access.create_lead"), small=True)
    roles = [(role.value, t.word("role", role.value)) for role in Role]
    with dialog:
        fields = [
            forms.text("name", t("access.name"), required=True, wide=True),
            forms.select("role", t("access.role"), roles, wide=True),
        ]
        form = Form(fields, submit=t("access.create"), cancel=t("say.cancel"))
    form.on("cancel", dialog.delete)

    async def send(values: dict[str, Any]) -> None:
        body = {"name": forms.taken(values, "name") or "", "role": forms.taken(values, "role")}
        made = await scene.do("create_token", body=body)
        dialog.delete()
        with scene.client.content:
            title = t("access.made", name=made["name"])
            shown = Modal(title, t("access.made_lead"), then=lambda: scene.go("/access"))
        with shown:
            Secret(made["token"], t("say.copy"), t("say.copied"))
            with box("foot"):
                done = button(t("say.done"), lambda: None, "main-act")
                done.on("click", js_handler="(event) => event.target.closest('dialog').close()")

    form.on_send(scene.acting(send, form))


async def _revoke(scene: Scene, token: str, tokens: list[dict[str, Any]]) -> None:
    t = scene.t
    name = next((each["name"] for each in tokens if each["id"] == token), token)
    with scene.client.content:
        dialog = Modal(t("access.revoke_of", name=name), t("access.revoke_lead"), small=True)

    async def do() -> None:
        await scene.do("revoke_token", path={"token": token})
        scene.go("/access")

    with dialog, box("foot"):
        button(t("say.cancel"), dialog.delete)
        button(t("keys.revoke"), scene.acting(do), "main-act danger")


async def _end(scene: Scene, session: str) -> None:
    await scene.do("end_one_session", path={"session": session})
    scene.go("/access")
