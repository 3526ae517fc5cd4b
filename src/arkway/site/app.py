"""How is the site served? One ASGI application for any prefix: GET and HEAD, nothing else.

What it says is `pages.Site`, what HTTP says of it `rules`; this adds the writer of answers.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arkway.site import pages
from arkway.site.asking_io import Writer
from arkway.site.pages import Page, Site
from arkway.site.rules import MAX_QUERY_BYTES, TOO_LONG, headers_of, is_known
from arkway.site.written import WriteAnswer


def docs_app(site: Site | None = None, write_answer: WriteAnswer | None = None) -> Starlette:
    """Return the documentation site, to be mounted at any prefix or served alone.

    Shapes:  write_answer: puts an answer into a model's words; None: answers are quotations.
    """
    found = site or pages.site()
    writer = Writer(write_answer)

    async def get(request: Request) -> Response:
        path = request.path_params["path"]
        query = request.url.query
        if len(query) > MAX_QUERY_BYTES:
            return _response(TOO_LONG, "")
        if b"%2f" in request.scope.get("raw_path", b"").lower():
            # No page has one, and the links of one that says so would begin in the wrong folder.
            return _response(Page(404, pages.TEXT, b"There is no such page.\n"), "")
        accept = request.headers.get("accept", "")
        question = found.question(path, query, accept)
        if question is None:
            page = found.render(path, query, accept) or found.missing(path)
        else:
            page = found.reply(question, await writer.improve(found.answer(question)))
        return _response(page, request.headers.get("if-none-match", ""))

    return Starlette(routes=[Route("/{path:path}", get, methods=["GET"])])


def _response(page: Page, known: str) -> Response:
    """Return a page as a response, without its body if the asker has it."""
    headers = headers_of(page)
    if page.status == 200 and is_known(headers["etag"], known):
        return Response(status_code=304, headers=headers)
    return Response(page.body, page.status, headers, page.content_type)
