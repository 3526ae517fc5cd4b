import msgspec
import pytest

from arkway.model.call import Call, RawRequest
from arkway.model.catalogue import ModelSpec
from arkway.model.errors import BodyTooLarge


@pytest.mark.parametrize(
    ("is_complete", "refusal", "has_ended"),
    [
        (False, None, False),
        (True, None, True),
        (False, BodyTooLarge("x"), True),
        (True, BodyTooLarge("x"), True),
    ],
)
def test_no_more_of_a_body_comes_once_it_is_whole_or_refused(is_complete, refusal, has_ended):
    request = RawRequest(b"POST", b"/", is_complete=is_complete, refusal=refusal)

    assert request.has_ended() is has_ended


def test_a_request_is_itself_and_no_other():
    assert RawRequest(b"GET", b"/") != RawRequest(b"GET", b"/")


def test_a_call_does_not_change():
    call = Call(ModelSpec("m", "m", 2, 1), "m", False, False, 1, {}, 0, None)

    with pytest.raises(AttributeError):
        call.n = 2
    assert msgspec.structs.replace(call, n=2).n == 2
