import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.listener.routes import OPEN, Endpoint, Route, match
from arkway.model.errors import MethodNotAllowed, UnknownUrl
from support import strategies  # noqa: F401 - its profile
from support.outcome import outcome


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        (b"POST", b"/v1/chat/completions", Route(Endpoint.CHAT_COMPLETIONS)),
        (b"GET", b"/v1/models", Route(Endpoint.LIST_MODELS)),
        (b"GET", b"/v1/models/Doubao-pro-32k", Route(Endpoint.GET_MODEL, "Doubao-pro-32k")),
        (b"GET", b"/v1/models/%2e%2e", Route(Endpoint.GET_MODEL, "%2e%2e")),
        (b"GET", b"/v1/models/..", Route(Endpoint.GET_MODEL, "..")),
        (b"GET", b"/v1/models/\xe9", Route(Endpoint.GET_MODEL, "é")),
    ],
)
def test_the_table(method, path, route):
    assert match(method, path) == route


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        (b"GET", b"/v1/chat/completions", "POST"),
        (b"HEAD", b"/v1/chat/completions", "POST"),
        (b"OPTIONS", b"/v1/chat/completions", "POST"),
        (b"POST", b"/v1/models", "GET"),
        (b"DELETE", b"/v1/models/m", "GET"),
        (b"post", b"/v1/chat/completions", "POST"),
    ],
)
def test_a_route_names_its_methods(method, path, allow):
    with pytest.raises(MethodNotAllowed) as refusal:
        match(method, path)

    assert refusal.value.allow == allow
    assert f"Use {allow}." in str(refusal.value)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"/v1",
        b"/v1/",
        b"/v1/models/",
        b"/v1/models/a/b",
        b"/v1/models//",
        b"//v1/models",
        b"/v1//models",
        b"/v1/./models",
        b"/v1/x/../models",
        b"/v1/%6dodels",
        b"/V1/models",
        b"/v1/models;x",
        b"/v1/chat/completions/",
        b"/v1/chat/completions#x",
        b"/v1/completions",
        b"/v1/embeddings",
        b"/readyz",
    ],
)
def test_paths_match_byte_for_byte(path):
    with pytest.raises(UnknownUrl, match=r"^Unknown request URL: GET "):
        match(b"GET", path)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("rest", [b"", b"/", b"/api.md", b"/../x", b"//", b"/\xe9"])
def test_the_documentation_is_there_where_it_is_wanted(method, rest):
    route = match(method, b"/docs" + rest, has_documentation=True)

    assert route == Route(Endpoint.DOCUMENTATION, rest.decode("latin-1"))
    with pytest.raises(UnknownUrl):
        match(method, b"/docs" + rest)


def test_the_documentation_is_only_read():
    with pytest.raises(MethodNotAllowed, match=r"Use GET or HEAD\.") as refusal:
        match(b"POST", b"/docs/api", has_documentation=True)

    assert refusal.value.allow == "GET, HEAD"
    with pytest.raises(UnknownUrl):
        match(b"GET", b"/docsx", has_documentation=True)


def test_only_the_documentation_is_open():
    assert OPEN == (Endpoint.DOCUMENTATION,)


@given(st.binary(max_size=200), st.binary(max_size=300), st.booleans())
def test_a_refusal_is_short_and_printable(method, path, has_documentation):
    route, refusal = outcome(match, method, path, has_documentation=has_documentation)

    if refusal is not None:
        assert str(refusal).isascii()
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 320
    else:
        assert route.endpoint in Endpoint
