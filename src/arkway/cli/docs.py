"""What does the documentation say, here? `arkway docs`: serve the pages alone, or ask them."""

import socket
from typing import Annotated

import typer

from arkway.cli.flags import JsonFlag, examples
from arkway.cli.output import FAILURE, Failure, remark

app = typer.Typer(help="Read and ask the documentation, without a gateway.")

DEFAULT_PORT = 8083  # next to the ops port
_PREFIX = "/docs"  # as the control process has it, so that links can be tried


@app.command("serve", epilog=examples("arkway docs serve", "arkway docs serve --port 9000"))
def serve(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port to listen on.", min=1, max=65_535)
    ] = DEFAULT_PORT,
) -> None:
    """Serve the documentation until Ctrl-C; nothing else is started."""
    import uvicorn  # noqa: PLC0415  0.1 s that only this command is worth
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import RedirectResponse  # noqa: PLC0415
    from starlette.routing import Mount, Route  # noqa: PLC0415

    from arkway.runtime.starting import bind_problem  # noqa: PLC0415
    from arkway.site.app import docs_app  # noqa: PLC0415

    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise Failure(bind_problem(host, port, error, "--port")) from None
    home = Route("/", lambda _: RedirectResponse(f"{_PREFIX}/"))
    site = Starlette(routes=[home, Mount(_PREFIX, docs_app())])
    remark(f"http://{host}:{port}{_PREFIX}/")
    uvicorn.run(site, host=host, port=port, log_level="warning", server_header=False)


@app.command(
    "ask",
    epilog=examples(
        'arkway docs ask "How do I rotate a key?"',
        'arkway docs ask "What is the range of temperature?" --page parameters.md --json',
    ),
)
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question in English.")],
    *,
    page: Annotated[
        str, typer.Option(metavar="PAGE", help="The page to prefer, such as limits.md.")
    ] = "index.md",
    json: JsonFlag = False,
) -> None:
    """Answer a question from the documentation, with its sources; exit status 1 if it cannot."""
    from arkway.site.pages import Question, site  # noqa: PLC0415  pages are read and indexed

    found = site()
    asked = found.asked(page)
    if asked is None:
        raise Failure(f"there is no page {page!r}")
    put = Question(question, asked, json)
    answer = found.answer(put)
    reply = found.reply(put, answer).body.decode().rstrip()
    if answer is None:
        raise Failure(reply)
    print(reply)
    if not answer.is_found:
        raise typer.Exit(FAILURE)
