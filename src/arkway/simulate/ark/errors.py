"""What does Ark answer when it refuses? Its codes with status and type, and the envelope.

Texts of 401, 403, 404 and 429 name the account, as Ark's do: a gateway that passes them on leaks
it. Source: Ark API reference, error codes; the two marked SDK are in its SDKs' lists only.
"""

from dataclasses import dataclass
from itertools import chain

import msgspec

_TYPES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "",
    503: "ServiceUnavailable",
    504: "",
}

_MODERATED = [
    f"{side}{what}SensitiveContentDetected"
    for side in ("Input", "Output")
    for what in ("Text", "Image", "Video", "Audio")
]
_RISKS = [
    f"{side}{what}RiskDetection" for side in ("Input", "Output") for what in ("Text", "Image")
]

# Status -> its codes; the first is what a fault with this status alone gives.
_BY_STATUS: dict[int, tuple[str, ...]] = {
    400: (
        "InvalidParameter",
        "MissingParameter",
        "InvalidParameter.UnsupportedParameter",
        "InvalidArgumentError",
        "InvalidArgumentError.UnknownRole",
        "InvalidArgumentError.InvalidImageDetail",
        "InvalidArgumentError.InvalidPixelLimit",
        "InvalidImageURL.EmptyURL",
        "InvalidImageURL.InvalidFormat",
        "OutofContextError",
        "InvalidEndpoint.ClosedEndpoint",
        "SensitiveContentDetected",
        "SensitiveContentDetected.SevereViolation",
        "SensitiveContentDetected.Violence",
        *_MODERATED,
        *_RISKS,
        "InputTextSensitiveContentDetected.PolicyViolation",
        "OutputTextSensitiveContentDetected.PolicyViolation",
        "ContentSecurityDetectionError",
        "InvalidSubscription",
    ),
    401: ("AuthenticationError", "InvalidAccountStatus"),
    403: (
        "AccessDenied",
        "AccountOverdueError",
        "OperationDenied.ServiceOverdue",
        "OperationDenied.PermissionDenied",
        "OperationDenied.ServiceNotOpen",
        "OperationDenied.InvalidState",
    ),
    404: (
        "InvalidEndpointOrModel.NotFound",
        "InvalidEndpointOrModel.ModelIDAccessDisabled",
        "ModelNotOpen",
        "UnsupportedModel",
        "NotFound",
    ),
    429: (
        "ModelAccountRpmRateLimitExceeded",
        "ModelAccountTpmRateLimitExceeded",
        "ModelAccountIpmRateLimitExceeded",
        "APIAccountRpmRateLimitExceeded",
        "AccountRateLimitExceeded",
        "RateLimitExceeded.EndpointRPMExceeded",
        "RateLimitExceeded.EndpointTPMExceeded",
        "RateLimitExceeded.FoundationModelRPMExceeded",
        "RateLimitExceeded.FoundationModelTPMExceeded",
        "InflightBatchsizeExceeded",
        "QuotaExceeded",
        "SetLimitExceeded",
        "ServerOverloaded",
        "RequestBurstTooFast",
        "ModelLoadingError",  # SDK
    ),
    500: ("InternalServiceError", "APITimeoutError"),  # the second: SDK
    502: ("",),  # what stands before Ark answers so, without a code
    503: ("",),
    504: ("",),
}
_TYPE_OF_CODE = {"InvalidSubscription": "Forbidden", "InvalidAccountStatus": "Forbidden"}
STATUS_OF: dict[str, int] = {
    code: status for status, codes in _BY_STATUS.items() for code in codes if code
}
CODES = tuple(chain(STATUS_OF))

_TEXTS = {
    "AuthenticationError": "The API key is missing or invalid for account {account}.",
    "AccountOverdueError": "The request failed because your account [{account}] has an overdue "
    "balance.",
    "ModelNotOpen": "Your account [{account}] has not activated the model {model}. Please activate "
    "the model service in the Ark Console.",
    "InvalidEndpointOrModel.NotFound": "The model or endpoint {model} does not exist or you do not "
    "have access to it from account [{account}].",
    "InvalidEndpointOrModel.ModelIDAccessDisabled": "Your account [{account}] must use an endpoint "
    "id (ep-xxxx) in place of the model id {model}.",
    "ModelAccountRpmRateLimitExceeded": "Your account [{account}] has exceeded its requests per "
    "minute (RPM) limit for the model {model}.",
    "ModelAccountTpmRateLimitExceeded": "Your account [{account}] has exceeded its tokens per "
    "minute (TPM) limit for the model {model}.",
    "InflightBatchsizeExceeded": "Your account [{account}] has too many requests in flight for the "
    "model {model}.",
    "SetLimitExceeded": "Your account [{account}] has reached the set inference limit for the "
    "{model} model, and the model service has been paused.",
    "ServerOverloaded": "The service is currently unable to handle additional requests due to "
    "server overload.",
    "RequestBurstTooFast": "The request rate of account [{account}] grew too fast. Please slow "
    "down.",
    "InternalServiceError": "The service encountered an unexpected internal error.",
}
_NAMED = frozenset({401, 403, 404, 429})  # texts of these name the account


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer."""

    status: int
    code: str
    message: str  # without the request id
    param: str = ""
    retry_after_s: float | None = None  # simulated

    def body(self, request_id: str) -> bytes:
        """Return the envelope: always four keys."""
        kind = _TYPE_OF_CODE.get(self.code, _TYPES.get(self.status, ""))
        error = {
            "code": self.code,
            "message": f"{self.message} Request id: {request_id}",
            "param": self.param,
            "type": kind,
        }
        return msgspec.json.encode({"error": error})


def refusal(
    code: str, account: str, model: str, *, status: int | None = None, param: str = ""
) -> Refusal:
    """Return the refusal with Ark's `code`; a code of no list is as its status says, else 400.

    Shapes:  code: "" for the first of its status.
    """
    status = status or STATUS_OF.get(code, 400)
    code = code or _BY_STATUS.get(status, ("",))[0]
    text = _TEXTS.get(code)
    if text is None:
        text = f"The request failed: {code or 'upstream connect error'}."
        if status in _NAMED:
            text += " Your account [{account}], model {model}."
    return Refusal(status, code, text.format(account=account, model=model), param)
