"""The routing lab: what other accounts or another policy would make of this traffic."""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from arkway.console import formats, forms, lab_io, traces
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import lab as view
from arkway.console.widgets import File, Form, Grid, box, chart, empty, panel, words
from arkway.store.admin_tokens import Role

UPLOAD = "/lab/trace"
MAX_CALLS = 20_000  # of our own traffic: a hundred pages of the ledger
_PAGE = 200
_HOURS = ("1", "3", "6", "12", "24")
_HOUR_MS = 3_600_000


class _Lab:
    """One page's lab."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.name = secrets.token_urlsafe(16)  # of the trace that this page uploads
        self.said: Any = None
        self.bar: Any = None
        self.out: Any = None

    async def run(self, values: dict[str, Any]) -> None:
        """Run the simulation for each number of accounts."""
        t = self.scene.t
        await self.scene.do("get_session")
        if lab_io.is_busy():
            self.scene.say(t("lab.busy"), "warn")
            return
        counts = sorted({int(each) for each in forms.listed(values, "accounts") if each.isdigit()})
        counts = [each for each in counts if 1 <= each <= max(view.ACCOUNTS)][: view.MAX_RUNS]
        if not counts:
            self.scene.say(t("lab.no_accounts"), "warn")
            return
        found: list[dict[str, Any]] = []
        self.bar.set_visibility(True)
        self.progress(0.02, t("lab.reading"))
        try:
            async with lab_io.alone() as folder:
                trace = await self._trace(folder, values)
                for at, count in enumerate(counts):
                    self.progress((at + 0.3) / len(counts), t("lab.running", n=count))
                    found.append(await lab_io.simulate(trace, _arguments(values, count)))
                    self.show(found)
        except lab_io.Failed as failed:
            self.progress(1.0, t("lab.failed_why", why=str(failed)))
            self.scene.say(t("lab.failed_why", why=str(failed)), "bad")
            return
        self.progress(1.0, t("lab.done", n=len(counts)))

    async def _trace(self, folder: Path, values: dict[str, Any]) -> Path:
        if values.get("source") == "file":
            uploaded = traces.kept(self.name)
            if not uploaded:
                raise lab_io.Failed(self.scene.t("lab.no_file"))
            path = folder / "uploaded-trace"
            await anyio.to_thread.run_sync(path.write_bytes, uploaded)
            return path
        hours = values.get("hours") if values.get("hours") in _HOURS else _HOURS[0]
        calls = await self._calls(int(str(hours)))
        path = folder / "own-traffic.jsonl"
        size = await anyio.to_thread.run_sync(_write, path, calls)
        if size == 0:
            raise lab_io.Failed(self.scene.t("lab.no_calls"))
        return path

    async def _calls(self, hours: int) -> list[dict[str, Any]]:
        """Return the calls of the last hours, oldest first, MAX_CALLS at most."""
        since = self.scene.visitor.api.desk.now_ms() - hours * _HOUR_MS
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": _PAGE, "since_ms": since}
        while len(found) < MAX_CALLS:
            page = await self.scene.do("list_calls", query=query)
            found += page["items"]
            self.progress(0.02, self.scene.t("lab.read", n=formats.count(len(found))))
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        return found[::-1]

    def progress(self, part: float, text: str) -> None:
        """Say how far it is."""
        self.bar.value = min(part, 1.0)
        self.said.text = text

    def show(self, found: list[dict[str, Any]]) -> None:
        """Show what there is so far."""
        t = self.scene.t
        self.out.clear()
        with self.out:
            with panel(t("lab.result"), t("lab.result_note")) as body:
                body.classes("flush", remove="body")
                Grid(t("lab.result"), view.columns(t), view.rows(t, found))
            if len(found) > 1:
                with panel(t("lab.chart")):
                    chart(view.hit_chart(t, found), t("lab.chart"))


async def upload(request: Request) -> Response:
    """Keep a trace for its page. The gate has seen to session, CSRF, origin and size."""
    if not request.state.principal.role.covers(Role.OPERATOR):
        return Response(status_code=403)
    content = b"".join([part async for part in request.stream()])
    traces.keep(request.query_params.get("name", "")[:64], content)
    return Response(status_code=204)


def _write(path: Path, calls: list[dict[str, Any]]) -> int:
    with path.open("wb") as file:
        return sum(file.write(line) for line in view.trace_of(calls))


def _arguments(values: dict[str, Any], accounts: int) -> list[str]:
    """Return the command's options: numbers and switches of ours alone."""
    made = ["--accounts", str(accounts)]
    if values.get("compare") is True:
        made.append("--compare")
    if values.get("no_header") is True:
        made.append("--no-header")
    for name, option in (("headroom", "--headroom"), ("ttl_s", "--ttl-s")):
        text = forms.taken(values, name)
        try:
            if text is not None and 0 < float(text) < 1e9:
                made += [option, str(float(text))]
        except ValueError:
            continue
    return made


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    lab = _Lab(scene)
    fields = [
        forms.select("source", t("lab.source"), [("own", t("lab.own")), ("file", t("lab.file"))]),
        forms.select("hours", t("lab.hours"), [(each, t("lab.last", n=each)) for each in _HOURS]),
        forms.text(
            "accounts",
            t("lab.accounts_list"),
            "2, 4, 8",
            hint=t("lab.accounts_hint", n=view.MAX_RUNS),
        ),
        forms.number("headroom", t("lab.headroom"), None, step=0.1, hint=t("lab.headroom_hint")),
        forms.number("ttl_s", t("lab.ttl"), None, hint=t("lab.ttl_hint")),
        forms.check("compare", t("lab.compare"), value=True),
        forms.check("no_header", t("lab.hide_header")),
    ]
    with frame(scene, Place("lab", t("nav.lab"), t("lab.lead"))):
        if not scene.may(Role.OPERATOR):
            with panel(t("nav.lab")):
                empty(t("say.view_only"), t("lab.operators"))
            return
        with panel(t("lab.set_up"), t("lab.own_note")):
            form = Form(fields, layout="form four", submit=t("lab.run"))
            form.on_send(scene.acting(lab.run))
            File(
                t("lab.upload"),
                f"{UPLOAD}?{urlencode({'name': lab.name})}",
                csrf=scene.visitor.principal.csrf,
                accept=".jsonl,.json,.csv,.txt",
                maxBytes=traces.MAX_BYTES,
                sentText=t("lab.have"),
                tooLargeText=t("lab.too_large"),
                failedText=t("lab.not_sent"),
            )
            with box("row", role="status"):
                lab.said = words(t("lab.ready"), "span", "soft")
            lab.bar = ui.linear_progress(0.0, show_value=False, size="6px")
            lab.bar.props["aria-label"] = t("lab.progress")
            lab.bar.style("margin-top: 12px")
            lab.bar.set_visibility(False)
        lab.out = box("stack")
