"""How is the site served? One ASGI application for any prefix: GET and HEAD, nothing else.

What it says is `pages.Site`; this adds HTTP: validators, the headers that let a page load nothing
but itself, and the writer of answers.
"""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from arkway.site import pages
from arkway.site.asking_io import Writer
from arkway.site.pages import Page, Site
from arkway.site.written import WriteAnswer

# A page may load our style sheet, script and icon, ask our search, and nothing else from anywhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "vary": "accept",
}
MAX_QUERY_BYTES = 4096  # a question of 300 Chinese characters is 2 700 bytes in a URL


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
            return PlainTextResponse("The query is too long.\n", 414, headers=dict(HEADERS))
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
    headers = {**HEADERS, "cache-control": page.cache_control, "etag": page.etag}
    if page.status == 200 and page.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(page.body, page.status, headers, page.content_type)
