import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.media import caller_deadline_s, check_media_type
from arkway.model.call import RawRequest
from arkway.model.errors import UnsupportedMediaType
from support import strategies  # noqa: F401 - its profile


def check(content_type=b"application/json", encoding=b"", repeated=()):
    check_media_type(
        RawRequest(
            b"POST",
            b"/",
            content_type=content_type,
            content_encoding=encoding,
            repeated=frozenset(repeated),
        )
    )


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b"application/json;charset=latin-1",
        b"application/json ; x",
        b"application/json;",
    ],
)
@pytest.mark.parametrize("encoding", [b"", b"identity", b"IDENTITY", b" identity "])
def test_plain_json_is_read(content_type, encoding):
    check(content_type, encoding)


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"application/jsonp",
        b"application/json, text/plain",
        b"application/x-ndjson",
        b"text/json",
        b"json",
        b";application/json",
        b"multipart/form-data; boundary=application/json",
        b"\xff",
    ],
)
def test_anything_else_is_not(content_type):
    with pytest.raises(UnsupportedMediaType, match="Content-Type: application/json"):
        check(content_type)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip", b"x", b"\xff"])
def test_compressed_bodies_are_not_read(encoding):
    with pytest.raises(UnsupportedMediaType, match="Content-Encoding"):
        check(encoding=encoding)


@pytest.mark.parametrize("last", [b"application/json;", b"application/json"])
def test_two_types_are_refused(last):
    with pytest.raises(UnsupportedMediaType):
        check(last, repeated=["content-type"])


@pytest.mark.parametrize(
    ("value", "deadline_s"),
    [
        (b"600", 600.0),
        (b"0.5", 0.5),
        (b" 5 ", 5.0),
        (b"1e3", 1000.0),
        (b"", None),
        (b"0", None),
        (b"-1", None),
        (b"nan", None),
        (b"inf", None),
        (b"-inf", None),
        (b"1e999", None),
        (b"soon", None),
        (b"5s", None),
        (b"\xff", None),
        (b"0x10", None),
    ],
)
def test_how_long_a_caller_waits(value, deadline_s):
    assert caller_deadline_s(RawRequest(b"POST", b"/", read_timeout=value)) == deadline_s


@given(st.one_of(st.binary(max_size=20), st.floats().map(lambda number: str(number).encode())))
def test_a_deadline_is_a_positive_number_or_none(value):
    deadline_s = caller_deadline_s(RawRequest(b"POST", b"/", read_timeout=value))

    assert deadline_s is None or 0 < deadline_s < float("inf")
