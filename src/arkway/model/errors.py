"""What can go wrong, and whose fault is it? Every refusal a caller can see, as data.

The list of codes is closed: docs/errors.md holds the same list and a test compares the two.
"""

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Who caused an error; decides retries and account health."""

    CALLER = "caller"  # 4xx: never retried, never counts against an account
    GATEWAY = "gateway"  # our bug, our overload, our drain
    UPSTREAM = "upstream"  # may be retried elsewhere; feeds outlier detection


def forget_frames(error: BaseException) -> None:
    """Cut an error that has been dealt with off the frames it came through.

    Frames and error hold each other, and the call with its bodies, until a cyclic collection:
    fifty thousand objects later, which may be a thousand failed calls.
    """
    error.__traceback__ = error.__context__ = None


class GatewayError(Exception):
    """A refusal that a caller sees as an OpenAI `error` object.

    Subclasses are data: they set the class fields and add no behaviour. `message` never holds a
    secret, a prompt or an account name. `retry_after_s`, where given, is sent as `retry-after`.
    """

    status: ClassVar[int]
    type: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str]
    fault: ClassVar[Fault] = Fault.CALLER
    retryable: ClassVar[bool] = False  # False sends `x-should-retry: false`

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.param = param
        self.reason = reason  # a word of ours that tells refusals of one code apart, for operators
        self.retry_after_s = retry_after_s
        self.header_lines = b""  # whole lines that go out with this refusal

    def body(self) -> dict[str, dict[str, str | None]]:
        """Return the OpenAI error envelope."""
        return {
            "error": {
                "message": str(self),
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class InvalidJson(GatewayError):
    """The body is not one JSON object within the limits."""

    status, code = 400, "invalid_json"


class BadRequest(GatewayError):
    """The HTTP message itself breaks the rules of HTTP/1.1."""

    status, code = 400, "invalid_http"


class MissingParameter(GatewayError):
    """A required parameter is absent or null."""

    status, code = 400, "missing_required_parameter"


class InvalidType(GatewayError):
    """A parameter has another JSON type than its rule asks for."""

    status, code = 400, "invalid_type"


class InvalidValue(GatewayError):
    """A parameter has the right type and a value outside its rule."""

    status, code = 400, "invalid_value"


class ContextLengthExceeded(GatewayError):
    """Prompt and answer cannot fit into the model's context window."""

    status, code = 400, "context_length_exceeded"


class ContentPolicyViolation(GatewayError):
    """The upstream's moderation refused the prompt or the answer."""

    status, code = 400, "content_policy_violation"


class MissingApiKey(GatewayError):
    """No `Authorization: Bearer` header."""

    status, code = 401, "missing_api_key"


class InvalidApiKey(GatewayError):
    """A credential that is malformed or that nobody holds."""

    status, code = 401, "invalid_api_key"


class KeyDisabled(GatewayError):
    """A key that exists and is switched off."""

    status, code = 401, "key_disabled"


class KeyExpired(GatewayError):
    """A key that exists and is past its expiry."""

    status, code = 401, "key_expired"


class IpNotAllowed(GatewayError):
    """A key used from an address its networks do not allow."""

    status, type, code = 403, "permission_error", "ip_not_allowed"


class ModelNotFound(GatewayError):
    """No such model, or not one this key may use: one text for both."""

    status, code = 404, "model_not_found"


class UnknownUrl(GatewayError):
    """No route has this path."""

    status, code = 404, "unknown_url"


class MethodNotAllowed(GatewayError):
    """The route exists for other methods; `allow` names them."""

    status, code = 405, "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(GatewayError):
    """The caller sent its request too slowly."""

    status, code = 408, "request_timeout"


class BodyTooLarge(GatewayError):
    """The body is larger than the configured limit."""

    status, code = 413, "body_too_large"


class UnsupportedMediaType(GatewayError):
    """Not `application/json`, or a content encoding."""

    status, code = 415, "unsupported_media_type"


class HeadersTooLarge(GatewayError):
    """Header section larger or longer than the limits."""

    status, code = 431, "headers_too_large"


class RateLimitExceeded(GatewayError):
    """The key's own limit of requests per minute."""

    status, type, code = 429, "requests", "rate_limit_exceeded"
    retryable = True


class TokenRateLimitExceeded(GatewayError):
    """The key's own limit of tokens per minute."""

    status, type, code = 429, "tokens", "rate_limit_exceeded"
    retryable = True


class CallOverTokenRate(GatewayError):
    """One call whose prompt alone is over the key's tokens per minute: it never fits."""

    status, type, code = 429, "tokens", "rate_limit_exceeded"


class ConcurrencyLimitExceeded(GatewayError):
    """The key has as many calls in progress as it may, or as what is left to it can pay for."""

    status, type, code = 429, "requests", "concurrency_limit_exceeded"
    retryable = True


class InsufficientQuota(GatewayError):
    """The key's token limit or budget does not have room for this call.

    Final even where the budget starts afresh some day: an SDK that retries would ask for hours.
    """

    status, type, code = 429, "insufficient_quota", "insufficient_quota"


class AccountsExhausted(GatewayError):
    """Every account that serves the model is at an upstream limit."""

    status, type, code = 429, "server_error", "accounts_exhausted"
    fault, retryable = Fault.UPSTREAM, True


class NoHealthyAccount(GatewayError):
    """No account can serve the model now."""

    status, type, code = 503, "server_error", "no_healthy_account"
    fault, retryable = Fault.UPSTREAM, True


class UpstreamError(GatewayError):
    """The upstream failed before the first byte of an answer."""

    status, type, code = 502, "server_error", "upstream_error"
    fault, retryable = Fault.UPSTREAM, True


class UpstreamTimeout(GatewayError):
    """One of the four clocks of an attempt, or the caller's deadline, ran out."""

    status, type, code = 504, "server_error", "upstream_timeout"
    fault, retryable = Fault.UPSTREAM, True


class UpstreamStreamInterrupted(GatewayError):
    """The upstream cut, stalled or garbled an answer that had already begun.

    Sent as an event inside the stream; the status never reaches a caller.
    """

    status, type, code = 502, "server_error", "upstream_stream_interrupted"
    fault, retryable = Fault.UPSTREAM, True


class Overloaded(GatewayError):
    """The gateway itself is at one of its bounds."""

    status, type, code = 503, "server_error", "overloaded"
    fault, retryable = Fault.GATEWAY, True


class Draining(GatewayError):
    """The node is stopping and takes no new calls."""

    status, type, code = 503, "server_error", "draining"
    fault, retryable = Fault.GATEWAY, True


class LedgerUnavailable(GatewayError):
    """The ledger's disk cannot be written: what could not be accounted for is not begun."""

    status, type, code = 503, "server_error", "ledger_unavailable"
    fault, retryable = Fault.GATEWAY, True


class InternalError(GatewayError):
    """A bug of ours; the details are in the log under the request id."""

    status, type, code = 500, "server_error", "internal_error"
    fault, retryable = Fault.GATEWAY, True
