"""Which rules of HTTP hold for every page, whoever has the socket? Headers, validators, bounds."""

from collections.abc import Mapping

from arkway.site.pages import TEXT, Page

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
TOO_LONG = Page(414, TEXT, b"The query is too long.\n")


def headers_of(page: Page) -> dict[str, str]:
    """Return the headers of a page, its type and length apart."""
    return {**HEADERS, "cache-control": page.cache_control, "etag": page.etag}


def is_known(etag: str, if_none_match: str) -> bool:
    """Tell whether the asker has the bytes of this validator: 304 is enough for it."""
    return etag in if_none_match
