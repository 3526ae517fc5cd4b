import pytest

from arkway.model import errors
from arkway.model.errors import Fault, GatewayError, MethodNotAllowed, RateLimitExceeded

ALL = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, GatewayError) and error is not GatewayError
]

# CONTRACT section 3; `invalid_http` and `upstream_stream_interrupted` are of sections 4 and 14.
CONTRACT = {
    (400, "invalid_request_error"): {
        "invalid_json",
        "invalid_http",
        "missing_required_parameter",
        "invalid_type",
        "invalid_value",
        "context_length_exceeded",
        "content_policy_violation",
    },
    (401, "invalid_request_error"): {
        "missing_api_key",
        "invalid_api_key",
        "key_expired",
        "key_disabled",
    },
    (403, "permission_error"): {"ip_not_allowed"},
    (404, "invalid_request_error"): {"model_not_found", "unknown_url"},
    (405, "invalid_request_error"): {"method_not_allowed"},
    (408, "invalid_request_error"): {"request_timeout"},
    (413, "invalid_request_error"): {"body_too_large"},
    (415, "invalid_request_error"): {"unsupported_media_type"},
    (431, "invalid_request_error"): {"headers_too_large"},
    (429, "requests"): {"rate_limit_exceeded", "concurrency_limit_exceeded"},
    (429, "tokens"): {"rate_limit_exceeded"},
    (429, "insufficient_quota"): {"insufficient_quota"},
    (429, "server_error"): {"accounts_exhausted"},
    (503, "server_error"): {"no_healthy_account", "overloaded", "draining", "ledger_unavailable"},
    (502, "server_error"): {"upstream_error", "upstream_stream_interrupted"},
    (504, "server_error"): {"upstream_timeout"},
    (500, "server_error"): {"internal_error"},
}

FINAL = {"InsufficientQuota", "CallOverTokenRate"}  # 429s that no waiting cures


def make(error):
    return error("m", allow="GET") if error is MethodNotAllowed else error("m")


def test_the_list_of_codes_is_the_contracts():
    found = {}
    for error in ALL:
        found.setdefault((error.status, error.type), set()).add(error.code)

    assert found == CONTRACT
    of_rates = [error for error in ALL if error.code == "rate_limit_exceeded"]
    assert len({error.code for error in ALL}) == len(ALL) - len(of_rates) + 1
    assert len({(error.type, error.retryable) for error in of_rates}) == len(of_rates)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_what_a_retry_cannot_cure_says_so(error):
    cured_by_time = error.status == 429 and error.__name__ not in FINAL
    assert error.retryable is (cured_by_time or error.status >= 500)
    if error.fault is Fault.CALLER:
        assert error.status < 500
    else:
        assert error.status >= 500 or error.code == "accounts_exhausted"


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_a_body_is_the_envelope(error):
    assert make(error).body() == {
        "error": {"message": "m", "type": error.type, "param": None, "code": error.code}
    }


def test_a_refusal_names_its_parameter_and_its_wait():
    error = RateLimitExceeded("slow down", param="n", retry_after_s=1.5)

    assert error.body()["error"]["param"] == "n"
    assert error.retry_after_s == 1.5
    assert str(error) == "slow down"


def test_a_wrong_method_names_the_right_ones():
    assert MethodNotAllowed("m", allow="GET, POST").allow == "GET, POST"
