"""What does an upstream's refusal mean, and what may the caller see of it?

Class first by the error's code, then by its status: three kinds of 429 are not rate limits, and
one 400 is worth another account. Texts of 401, 403, 404 and 429 are never relayed (they carry
account ids); those of 400 are, without ids.
"""

import re
from datetime import datetime

from arkway.model.errors import (
    AccountsExhausted,
    ContentPolicyViolation,
    ContextLengthExceeded,
    GatewayError,
    InvalidValue,
    NoHealthyAccount,
    Overloaded,
    UpstreamError,
    UpstreamTimeout,
)
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.upstream.ark_codes import class_of_code, known_code
from arkway.wire.openai import decode_error

# Ark appends its request id, and names endpoints and accounts; six digits in a row are an id too.
_IDS = re.compile(
    r"\s*\(?request[\s_-]*id\s*[:=]?\s*[\w-]+\)?\.?|\[[^\]]*\d{4}[^\]]*\]|\bep-[\w-]+|[\w-]*\d{6}[\w-]*",
    re.IGNORECASE,
)
_RELAYED = frozenset({400, 413, 422})  # statuses whose text speaks of the request
_MAX_MESSAGE = 400  # enough for any sentence; an upstream's page of HTML is not one
_MAX_SCANNED = 2 * _MAX_MESSAGE  # an id must not be cut in two before it is found
_CONTEXT_CODES = frozenset(
    {"OutofContextError", "context_length_exceeded", "exceed_context_size_error"}
)
_CONTEXT_TEXT = re.compile(r"context (length|size|window)|max(imum)? message tokens", re.IGNORECASE)
_QUOTA = "QuotaExceeded"
_QUEUED = re.compile(r"queue", re.IGNORECASE).search
# A time without a zone is China's, where the upstream is.
_RESET = re.compile(
    r"reset at (\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?: ?([+-]\d\d:?\d\d|Z))?", re.IGNORECASE
).search
_MAX_QUOTA_S = 32 * 86_400.0  # the longest plans are monthly
_MODERATION_CODES = frozenset({"content_filter", "content_policy_violation"})
_BY_STATUS = {
    401: ErrorClass.BROKEN,
    402: ErrorClass.BROKEN,
    403: ErrorClass.BROKEN,
    404: ErrorClass.MODEL_DOUBTFUL,
    408: ErrorClass.TRANSIENT,
    409: ErrorClass.TRANSIENT,
    425: ErrorClass.TRANSIENT,
    429: ErrorClass.ACCOUNT_LIMITED,
}
# Codes of other upstreams that are counted by name; Ark's own are all.
_COUNTED_CODES = _MODERATION_CODES | {
    "context_length_exceeded",
    "insufficient_quota",
    "invalid_api_key",
    "model_not_found",
    "rate_limit_exceeded",
    "server_error",
}
_COUNTED_STATUSES = frozenset({*_BY_STATUS, 400, 405, 413, 422, 500, 502, 503, 504})
_WITHOUT_STATUS = {
    Ending.NOT_SENT: "unreachable",
    Ending.AMBIGUOUS: "no_answer",
    Ending.INTERRUPTED: "broke_off",
}
UNCOUNTED = "other"
# Seconds to wait after an overload of the whole pool, where the upstream gives none.
POOL_RETRY_AFTER_S = 2.0
ACCOUNT_RETRY_AFTER_S = 5.0


def classify(
    status: int, body: bytes, retry_after_s: float | None, unix_s: float = 0.0
) -> AttemptFailed:
    """Return what a whole error answer means.

    Shapes:  body: what the upstream sent, JSON or not.
    Units:   unix_s: now; a quota's stated reset is judged by it.
    """
    code, message = decode_error(body)
    error_class = _class(status, code)
    out_for_s = None
    if error_class is ErrorClass.MODEL_BROKEN and code.startswith(_QUOTA):
        error_class, out_for_s = _of_quota(message, unix_s)
    told = message if status in _RELAYED else ""
    error = _visible(error_class, code, told, retry_after_s)
    reason = f"status {status}, code {_token(code)}"
    failure = AttemptFailed(Ending.REFUSED, error_class, error, reason, out_for_s)
    failure.retry_after_s = retry_after_s
    failure.status = status
    failure.upstream_code = _token(code) if code else ""
    return failure


def counted_code(failure: AttemptFailed) -> str:
    """Return what a failure is counted as, of a closed list: a documented code, or a word of ours.

    `http_503` for a status without such a code; what came without a status by how it ended.
    """
    code = failure.upstream_code
    if code in _COUNTED_CODES:
        return code
    if known := known_code(code):
        return known
    if failure.status:
        is_usual = failure.status in _COUNTED_STATUSES
        return f"http_{failure.status}" if is_usual else UNCOUNTED
    if isinstance(failure.error, UpstreamTimeout):
        return "timeout"
    return _WITHOUT_STATUS.get(failure.ending, UNCOUNTED)


def _of_quota(message: str, unix_s: float) -> tuple[ErrorClass, float | None]:
    """Return what a spent quota means: one code, three texts.

    Tasks in a queue are a limit like others. A plan's quota says when it begins anew. A spent free
    trial is an operator's business.
    """
    if _QUEUED(message):
        return ErrorClass.ACCOUNT_LIMITED, None
    stated = _RESET(message)
    if stated is None:
        return ErrorClass.MODEL_BROKEN, None
    try:
        reset = datetime.fromisoformat(f"{stated[1]}T{stated[2]}{stated[3] or '+08:00'}")
    except ValueError:
        return ErrorClass.MODEL_BROKEN, None
    out_for_s = min(max(reset.timestamp() - unix_s, 0.0), _MAX_QUOTA_S)
    return ErrorClass.MODEL_BROKEN, out_for_s


def _class(status: int, code: str) -> ErrorClass:
    found = class_of_code(code)
    if found is not None:
        return found
    if code in _MODERATION_CODES:
        return ErrorClass.MODERATION
    caller_or_us = ErrorClass.CALLER if 400 <= status < 500 else ErrorClass.TRANSIENT
    return _BY_STATUS.get(status, caller_or_us)


def _visible(
    error_class: ErrorClass, code: str, message: str, retry_after_s: float | None
) -> GatewayError:
    match error_class:
        case ErrorClass.CALLER:
            return _caller_error(code, message)
        case ErrorClass.MODERATION:
            return ContentPolicyViolation(
                "The request or the answer was refused by the model's content policy."
            )
        case ErrorClass.ACCOUNT_LIMITED:
            return AccountsExhausted(
                "All upstream capacity for this model is in use.",
                retry_after_s=retry_after_s or ACCOUNT_RETRY_AFTER_S,
            )
        case ErrorClass.POOL_LIMITED:
            return Overloaded(
                "The model is overloaded at the upstream.",
                retry_after_s=retry_after_s or POOL_RETRY_AFTER_S,
            )
        case ErrorClass.BROKEN | ErrorClass.MODEL_BROKEN | ErrorClass.MODEL_DOUBTFUL:
            return NoHealthyAccount(
                "No upstream account can serve this model now.",
                retry_after_s=ACCOUNT_RETRY_AFTER_S,
            )
        case ErrorClass.TRANSIENT:
            return UpstreamError("The upstream failed to answer.")


def _caller_error(code: str, message: str) -> GatewayError:
    if code in _CONTEXT_CODES or _CONTEXT_TEXT.search(message):
        return ContextLengthExceeded(
            "The messages and the answer do not fit into this model's context window.",
            param="messages",
        )
    text = scrub(message) or "no reason was given."
    return InvalidValue(f"The model refused the request: {text}")


def scrub(message: str) -> str:
    """Return an upstream's text without ids, line breaks or length."""
    printable = "".join(char if char.isprintable() else " " for char in message[:_MAX_SCANNED])
    return _IDS.sub("", printable)[:_MAX_MESSAGE].strip()


def _token(code: str) -> str:
    """Return an error code for a log line: short and printable, `-` for none."""
    return "".join(char if char.isalnum() or char in "._-" else "?" for char in code[:80]) or "-"
