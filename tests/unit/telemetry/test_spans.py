import pytest

from arkway.telemetry import names as n
from arkway.telemetry.events import FAILED
from arkway.telemetry.spans import (
    CLIENT,
    SERVER,
    is_sampled,
    parse_traceparent,
    span_id_of,
    spans_of,
    trace_id_of,
    trace_lines,
)
from support.telemetry import REQUEST_ID, call, failed_attempt, served_attempt

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01".encode()


# The header.


def test_a_valid_header():
    parent = parse_traceparent(VALID)

    assert (parent.trace_id, parent.span_id) == (int(TRACE, 16), int(SPAN, 16))
    assert parent.is_sampled
    assert not parse_traceparent(f"00-{TRACE}-{SPAN}-00".encode()).is_sampled
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-01-later".encode()) is not None


@pytest.mark.parametrize(
    "header",
    [
        "", "x", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\n", f" 00-{TRACE}-{SPAN}-01", "00-" + "a" * 5000,
    ],
)  # fmt: skip
def test_a_header_that_says_nothing(header):
    assert parse_traceparent(header.encode()) is None


def test_a_trace_of_our_own_has_the_request_ids_digits():
    assert f"{trace_id_of(REQUEST_ID, None):032x}" == REQUEST_ID.replace("-", "")
    assert trace_id_of(REQUEST_ID, parse_traceparent(VALID)) == int(TRACE, 16)
    assert 0 < trace_id_of("no uuid", None) < 1 << 128


def test_the_header_that_goes_on_names_the_span_that_is_exported():
    lines = trace_lines(VALID, REQUEST_ID, 2, ratio=1.0)

    assert lines == b"traceparent: 00-%s-%016x-01\r\n" % (TRACE.encode(), span_id_of(REQUEST_ID, 2))
    (_, _, second) = spans_of(
        call(failed_attempt(), served_attempt(attempt=2), traceparent=VALID), 1.0, 0, str
    )
    assert second.span_id == span_id_of(REQUEST_ID, 2)
    assert second.trace_id == int(TRACE, 16)


def test_without_export_a_callers_trace_goes_on_as_it_came():
    assert trace_lines(VALID, REQUEST_ID, 1, ratio=0.0) == b"traceparent: " + VALID + b"\r\n"
    assert trace_lines(b"", REQUEST_ID, 1, ratio=0.0) == b""
    assert trace_lines(b"x\r\nevil: 1", REQUEST_ID, 1, ratio=0.0) == b""


# Sampling.


def test_the_share_is_what_it_says_and_the_same_for_a_whole_trace():
    ids = [trace_id_of(f"{number:032x}", None) for number in range(20_000)]

    share = sum(is_sampled(each, None, 0.1) for each in ids) / len(ids)

    assert 0.09 < share < 0.11
    assert all(is_sampled(each, None, 1.0) for each in ids)
    assert not any(is_sampled(each, None, 0.0) for each in ids)
    parent = parse_traceparent(VALID)
    assert is_sampled(parent.trace_id, parent, 0.1) == is_sampled(parent.trace_id, None, 0.1)


def test_a_caller_may_leave_its_trace_out_and_not_force_it_in():
    unsampled = parse_traceparent(f"00-{TRACE}-{SPAN}-00".encode())

    assert not is_sampled(unsampled.trace_id, unsampled, 1.0)
    assert not is_sampled(int(TRACE, 16), parse_traceparent(VALID), 0.0)


# Spans.


def test_a_call_is_a_span_and_each_attempt_one_below_it():
    attempts = (failed_attempt("a"), served_attempt("b", attempt=2, first_token_ms=120))
    own, first, second = spans_of(call(*attempts, is_stream=True), 1.0, 0, {"a": "x", "b": "y"}.get)

    assert (own.kind, own.name, own.error, own.parent_id) == (SERVER, "chat Doubao", "", 0)
    assert (own.start_ns, own.end_ns) == (10_000_000_000, 10_300_000_000)
    assert (first.kind, first.parent_id, second.parent_id) == (CLIENT, own.span_id, own.span_id)
    assert len({own.span_id, first.span_id, second.span_id}) == 3
    assert first.error == first.attributes[n.ERROR_TYPE] == "upstream_error"
    assert first.attributes[n.CLASS] == "transient"
    assert n.INPUT_TOKENS not in first.attributes, "nothing is guessed"
    assert second.attributes[n.PROVIDER] == "y"
    assert second.attributes[n.INPUT_TOKENS] == 150
    assert second.attributes[n.CACHE_READ_TOKENS] == 50
    assert second.attributes[n.OUTPUT_TOKENS] == 25
    assert second.attributes[n.REASONING_TOKENS] == 5
    assert second.attributes[n.FIRST_TOKEN_MS] == 120
    for span in (first, second):
        assert own.start_ns <= span.start_ns <= span.end_ns <= own.end_ns


def test_a_failed_call_says_its_code():
    (own,) = spans_of(call(outcome=FAILED, status=503, code="overloaded"), 1.0, 0, str)

    assert own.error == own.attributes[n.ERROR_TYPE] == "overloaded"
    assert own.attributes[n.HTTP_STATUS] == 503


def test_a_callers_span_is_the_parent():
    (own,) = spans_of(call(traceparent=VALID), 1.0, 0, str)

    assert (own.trace_id, own.parent_id) == (int(TRACE, 16), int(SPAN, 16))


def test_what_is_not_sampled_has_no_spans():
    assert spans_of(call(served_attempt()), 0.0, 0, str) == []
