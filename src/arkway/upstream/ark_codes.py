"""What does an Ark error code mean for routing? The published list, as data.

A code matches the longest entry that it equals or extends by a `.suffix`: Ark refines its codes
by suffixes over time. Codes that are not here are judged by status.
Source: Ark API reference, error codes; classes are ours.
"""

from arkway.model.outcome import ErrorClass

_C, _M = ErrorClass.CALLER, ErrorClass.MODERATION
_RA, _P = ErrorClass.ACCOUNT_LIMITED, ErrorClass.POOL_LIMITED
_X, _XM = ErrorClass.BROKEN, ErrorClass.MODEL_BROKEN
_T = ErrorClass.TRANSIENT

ARK_CODES: dict[str, ErrorClass] = {
    "MissingParameter": _C,
    "InvalidParameter": _C,
    "InvalidArgumentError": _C,
    "InvalidImageURL": _C,
    "OutofContextError": _C,
    "Duplicate.Tags.Key": _C,
    "NotFound": _C,
    "InvalidEndpoint.ClosedEndpoint": _XM,
    "InvalidSubscription": _X,
    "SensitiveContentDetected": _M,
    "InputTextSensitiveContentDetected": _M,
    "InputImageSensitiveContentDetected": _M,
    "InputVideoSensitiveContentDetected": _M,
    "InputAudioSensitiveContentDetected": _M,
    "OutputTextSensitiveContentDetected": _M,
    "OutputImageSensitiveContentDetected": _M,
    "OutputVideoSensitiveContentDetected": _M,
    "OutputAudioSensitiveContentDetected": _M,
    "InputTextRiskDetection": _M,
    "InputImageRiskDetection": _M,
    "OutputTextRiskDetection": _M,
    "OutputImageRiskDetection": _M,
    "ContentSecurityDetectionError": _T,  # the moderation service itself failed
    "AuthenticationError": _X,
    "InvalidAccountStatus": _X,
    "AccountOverdueError": _X,
    "AccessDenied": _X,
    "OperationDenied": _X,
    "OperationDenied.InvalidState": _T,
    "OperationDenied.ServiceNotOpen": _XM,
    "InvalidEndpointOrModel": _XM,
    "ModelNotOpen": _XM,
    "UnsupportedModel": _XM,
    "RateLimitExceeded": _RA,
    "ModelAccountRpmRateLimitExceeded": _RA,
    "ModelAccountTpmRateLimitExceeded": _RA,
    "ModelAccountIpmRateLimitExceeded": _RA,
    "APIAccountRpmRateLimitExceeded": _RA,
    "AccountRateLimitExceeded": _RA,
    "InflightBatchsizeExceeded": _RA,
    "QuotaExceeded": _XM,
    "SetLimitExceeded": _XM,
    "ServerOverloaded": _P,
    "RequestBurstTooFast": _P,
    "ModelLoadingError": _T,
    "InternalServiceError": _T,
    "APITimeoutError": _T,
}


def known_code(code: str) -> str:
    """Return the longest entry that `code` equals or extends; empty if there is none."""
    while code and code not in ARK_CODES:
        code = code.rpartition(".")[0]
    return code


def class_of_code(code: str) -> ErrorClass | None:
    """Return the class of `code`, by its longest known prefix of whole words; None if unknown."""
    return ARK_CODES.get(known_code(code))
