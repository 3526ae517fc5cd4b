import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.model.errors import (
    AccountsExhausted,
    ContentPolicyViolation,
    ContextLengthExceeded,
    InvalidValue,
    NoHealthyAccount,
    Overloaded,
    UpstreamError,
    UpstreamTimeout,
)
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.upstream import classify as module
from arkway.upstream.ark_codes import ARK_CODES
from arkway.upstream.classify import (
    ACCOUNT_RETRY_AFTER_S,
    POOL_RETRY_AFTER_S,
    UNCOUNTED,
    classify,
    counted_code,
    scrub,
)
from support.strategies import json_bytes, texts

VISIBLE = {
    ErrorClass.CALLER: InvalidValue,
    ErrorClass.MODERATION: ContentPolicyViolation,
    ErrorClass.ACCOUNT_LIMITED: AccountsExhausted,
    ErrorClass.POOL_LIMITED: Overloaded,
    ErrorClass.BROKEN: NoHealthyAccount,
    ErrorClass.MODEL_BROKEN: NoHealthyAccount,
    ErrorClass.MODEL_DOUBTFUL: NoHealthyAccount,
    ErrorClass.TRANSIENT: UpstreamError,
}
STATUSES = (400, 401, 403, 404, 408, 429, 500, 502, 503)


def ask(status, code="", message="m", retry_after_s=None):
    body = json_bytes({"error": {"code": code, "message": message, "param": "", "type": ""}})
    return classify(status, body, retry_after_s)


@pytest.mark.parametrize("code", ARK_CODES)
@pytest.mark.parametrize("suffix", ["", ".New"])
def test_a_known_code_decides_whatever_the_status(code, suffix):
    for status in STATUSES:
        failure = ask(status, code + suffix)
        assert failure.error_class is ARK_CODES[code]
        assert failure.ending is Ending.REFUSED
        assert failure.reason == f"status {status}, code {code + suffix}"
        if code != "OutofContextError":
            assert type(failure.error) is VISIBLE[failure.error_class]


@pytest.mark.parametrize(
    ("statuses", "error_class"),
    [
        ([400, 405, 406, 410, 411, 413, 415, 422, 431, 451, 499], ErrorClass.CALLER),
        ([401, 402, 403], ErrorClass.BROKEN),
        ([404], ErrorClass.MODEL_DOUBTFUL),
        ([429], ErrorClass.ACCOUNT_LIMITED),
        ([408, 409, 425], ErrorClass.TRANSIENT),
        ([500, 502, 503, 504, 529, 599], ErrorClass.TRANSIENT),
        ([201, 204, 301, 302, 307, 308], ErrorClass.TRANSIENT),
    ],
)
@pytest.mark.parametrize("code", ["", "whatever", "429", "Foo.Bar"])
def test_an_unknown_code_is_judged_by_status(statuses, error_class, code):
    for status in statuses:
        failure = ask(status, code)
        assert failure.error_class is error_class
        assert type(failure.error) is VISIBLE[error_class]


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_moderation_of_other_servers(code):
    failure = ask(400, code, "you said hunter2")

    assert failure.error_class is ErrorClass.MODERATION
    assert "hunter2" not in str(failure.error)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("OutofContextError", ""),
        ("context_length_exceeded", ""),
        ("exceed_context_size_error", "x"),
        ("InvalidParameter", "Total tokens exceed max message tokens 32768"),
        ("InvalidParameter.messages", "the maximum message tokens is 1"),
        ("", "This model's maximum context length is 4096 tokens"),
        (400, "request (3031 tokens) exceeds the available context size (2048 tokens)"),
        ("x", "exceeds the context window"),
    ],
)
def test_a_prompt_that_does_not_fit_says_so(code, message):
    failure = ask(400, code, message)

    assert type(failure.error) is ContextLengthExceeded
    assert failure.error.param == "messages"
    assert failure.error_class is ErrorClass.CALLER


@pytest.mark.parametrize(
    ("status", "code", "told_s", "shown_s"),
    [
        (429, "", None, ACCOUNT_RETRY_AFTER_S),
        (429, "", 7.0, 7.0),
        (429, "", 0.0, ACCOUNT_RETRY_AFTER_S),
        (429, "ServerOverloaded", None, POOL_RETRY_AFTER_S),
        (429, "ServerOverloaded", 9.0, 9.0),
        (401, "", 9.0, ACCOUNT_RETRY_AFTER_S),
        (404, "", None, ACCOUNT_RETRY_AFTER_S),
        (400, "", 9.0, None),
        (500, "", 9.0, None),
        (400, "SensitiveContentDetected", 9.0, None),
    ],
)
def test_when_to_come_again(status, code, told_s, shown_s):
    assert ask(status, code, retry_after_s=told_s).error.retry_after_s == shown_s


def test_a_callers_mistake_is_explained():
    failure = ask(400, "InvalidParameter", "`stop` must have at most 4 items. Request id: 02aB-9")

    assert str(failure.error) == "The model refused the request: `stop` must have at most 4 items."


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"\xff", b'{"error":{"message":null}}'])
def test_a_mistake_without_a_reason_says_that(body):
    failure = classify(400, body, None)

    assert str(failure.error) == "The model refused the request: no reason was given."
    assert failure.reason == "status 400, code -"


# What must never show.

ids = st.one_of(
    st.from_regex(r"[0-9]{9,21}", fullmatch=True),
    st.from_regex(r"02[0-9a-f]{20,40}", fullmatch=True),
    st.from_regex(r"ep-(m-|bi-)?20[0-9]{12}-[a-z0-9]{5}", fullmatch=True),
)
embeddings = st.sampled_from(
    [
        "Your account [{}] has reached the limit.",
        "account {} does not exist",
        "(account {}), see the console",
        "The model or endpoint {} does not exist or you do not have access to it.",
        "bad. Request id: {}",
        "bad (request id: {})",
        "bad. Request ID:{}.",
        "request_id {}",
        "bad,\nrequest id: {}\n",
    ]
)


@given(embeddings, ids, texts, st.sampled_from(["InvalidParameter", "", "MissingParameter.x"]))
@settings(max_examples=200)
def test_no_id_is_visible_wherever_it_stands(embedding, secret, around, code):
    opaque = secret.isdigit() or secret.startswith("ep-") or "equest" in embedding
    message = embedding.format(secret if opaque else "123456789012")
    shown = secret if opaque else "123456789012"

    failure = ask(400, code, f"{around} {message}")

    assert shown not in str(failure.error)
    assert shown not in failure.reason
    assert str(failure.error).isprintable()


@pytest.mark.parametrize(
    "message",
    [
        "bad. RequestId: 02171806784989abcdef",
        "bad. request-id: 02171806784989abcdef",
        "bad. Request id : 02171806784989abcdef",
        "account_2100123456 is bad",
        "account2100123456 is bad",
        "acct-21001234-x is bad",
        "x" * 392 + " 2100123456 and more",
        "x" * 386 + " [acc-2100123456] and more",
    ],
)
def test_other_spellings_of_ids(message):
    assert "21001" not in scrub(message)
    assert "0217180678" not in scrub(message)


@given(texts, st.sampled_from(["", "AccessDenied", "ServerOverloaded", "SensitiveContentDetected"]))
def test_texts_of_other_statuses_are_never_relayed(message, code):
    message = f"hunter2 {message}"

    for status in (401, 403, 404, 429, 500, 302):
        assert "hunter2" not in str(ask(status, code, message).error)


@pytest.mark.parametrize("status", [401, 403, 404, 429])
@pytest.mark.parametrize("code", ["InvalidParameter", "NotFound.x", "MissingParameter"])
def test_not_even_if_the_code_blames_the_caller(status, code):
    assert "hunter2" not in str(ask(status, code, "hunter2").error)


@given(st.text(max_size=1000))
def test_a_scrubbed_text_is_one_short_line(message):
    text = scrub(message)

    assert text.isprintable()
    assert len(text) <= 400
    assert text == text.strip()


@given(
    st.sampled_from(STATUSES) | st.integers(100, 999),
    st.binary(max_size=80) | st.dictionaries(texts, texts, max_size=2).map(json_bytes),
    st.none() | st.floats(0, 99999),
)
def test_any_answer_has_a_class_and_a_visible_error(status, body, retry_after_s):
    failure = classify(status, body, retry_after_s)

    assert failure.ending is Ending.REFUSED
    assert failure.error_class in ErrorClass
    assert isinstance(failure.error, VISIBLE[failure.error_class] | ContextLengthExceeded)
    assert failure.reason.isprintable()


@given(st.text(max_size=300))
def test_a_code_is_short_and_plain_in_the_log(code):
    reason = ask(500, code).reason

    assert len(reason) <= len("status 500, code ") + 80
    assert reason.isprintable()
    assert " " not in reason.removeprefix("status 500, code ")


def test_the_recorded_errors_of_llamacpp(request):
    path = request.config.rootpath / "tests" / "fixtures" / "llamacpp_errors.json"
    found = {
        case["case"]: classify(case["status"], json_bytes(case["body"]), None)
        for case in json.loads(path.read_text())
    }

    assert {name: type(failure.error) for name, failure in found.items()} == {
        "not JSON": InvalidValue,
        "no messages": InvalidValue,
        "wrong type": InvalidValue,
        "message without role": UpstreamError,
        "image": UpstreamError,
        "prompt beyond the window": ContextLengthExceeded,
    }


NOW = 1_764_000_000.0  # 2025-11-24 16:00:00 UTC


@pytest.mark.parametrize(
    ("message", "error_class", "out_for_s"),
    [
        ("Free trial exhausted.", ErrorClass.MODEL_BROKEN, None),
        ("The queued-task count is over its quota.", ErrorClass.ACCOUNT_LIMITED, None),
        ("5-hour quota; it will reset at 2025-11-25 00:10:00 +0800", ErrorClass.MODEL_BROKEN, 600),
        ("it will reset at 2025-11-25T00:10:00", ErrorClass.MODEL_BROKEN, 600),
        ("it will reset at 2025-11-24T16:10:00Z", ErrorClass.MODEL_BROKEN, 600),
        ("it will reset at 2020-01-01 00:00:00", ErrorClass.MODEL_BROKEN, 0),
        ("it will reset at 9999-01-01 00:00:00", ErrorClass.MODEL_BROKEN, 32 * 86_400),
        ("it will reset at 2025-99-99 00:00:00", ErrorClass.MODEL_BROKEN, None),
    ],
)
def test_a_spent_quota_is_one_of_three(message, error_class, out_for_s):
    body = json_bytes({"error": {"code": "QuotaExceeded", "message": message}})
    failure = classify(429, body, None, NOW)

    assert (failure.error_class, failure.out_for_s) == (error_class, out_for_s)


@pytest.mark.parametrize(
    ("status", "code", "counted"),
    [
        (429, "RateLimitExceeded", "RateLimitExceeded"),
        (429, "RateLimitExceeded.EndpointRPMExceeded", "RateLimitExceeded"),
        (401, "invalid_api_key", "invalid_api_key"),
        (503, "SomethingOfTheirs", "http_503"),
        (503, "", "http_503"),
        (418, "", UNCOUNTED),
        (418, "http_503", UNCOUNTED),
    ],
)
def test_errors_are_counted_under_names_of_a_closed_list(status, code, counted):
    assert counted_code(ask(status, code)) == counted


@pytest.mark.parametrize(
    ("ending", "error", "counted"),
    [
        (Ending.NOT_SENT, UpstreamError("m"), "unreachable"),
        (Ending.AMBIGUOUS, UpstreamError("m"), "no_answer"),
        (Ending.INTERRUPTED, UpstreamError("m"), "broke_off"),
        (Ending.AMBIGUOUS, UpstreamTimeout("m"), "timeout"),
        (Ending.REFUSED, UpstreamError("m"), UNCOUNTED),
    ],
)
def test_what_came_without_a_status_is_counted_by_how_it_ended(ending, error, counted):
    failure = AttemptFailed(ending, ErrorClass.TRANSIENT, error, "reason")

    assert counted_code(failure) == counted


@given(st.sampled_from([*STATUSES, 418, 599]), texts | st.sampled_from(["http_429", "timeout"]))
def test_no_upstream_makes_labels_of_its_own(status, code):
    statuses = {f"http_{each}" for each in module._COUNTED_STATUSES}
    closed = {*ARK_CODES, *module._COUNTED_CODES, *statuses, UNCOUNTED}

    assert counted_code(ask(status, code)) in closed
