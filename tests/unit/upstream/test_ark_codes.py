import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.model.outcome import ErrorClass
from arkway.upstream.ark_codes import ARK_CODES, class_of_code
from support import strategies  # noqa: F401 - its profile

# Classes of the reference (C, M, RA, P, X, T), in our words; suffixes as it lists them.
REFERENCE = {
    "MissingParameter.messages": "caller",
    "InvalidParameter.UnsupportedParameter": "caller",
    "InvalidArgumentError.UnknownRole": "caller",
    "InvalidImageURL.EmptyURL": "caller",
    "OutofContextError": "caller",
    "Duplicate.Tags.Key": "caller",
    "InvalidEndpoint.ClosedEndpoint": "model_broken",
    "SensitiveContentDetected.SevereViolation": "moderation",
    "InputTextSensitiveContentDetected.PolicyViolation": "moderation",
    "OutputVideoSensitiveContentDetected.DeepFake": "moderation",
    "OutputTextRiskDetection": "moderation",
    "ContentSecurityDetectionError": "transient",
    "InvalidSubscription": "broken",
    "AuthenticationError": "broken",
    "InvalidAccountStatus": "broken",
    "AccountOverdueError": "broken",
    "OperationDenied.ServiceOverdue": "broken",
    "AccessDenied": "broken",
    "OperationDenied.PermissionDenied": "broken",
    "OperationDenied.ServiceNotOpen": "model_broken",
    "OperationDenied.InvalidState": "transient",
    "InvalidEndpointOrModel.NotFound": "model_broken",
    "ModelNotOpen": "model_broken",
    "InvalidEndpointOrModel.ModelIDAccessDisabled": "model_broken",
    "UnsupportedModel": "model_broken",
    "NotFound.messages": "caller",
    "RateLimitExceeded.EndpointTPMExceeded": "account_limited",
    "ModelAccountTpmRateLimitExceeded": "account_limited",
    "AccountRateLimitExceeded": "account_limited",
    "InflightBatchsizeExceeded": "account_limited",
    "SetLimitExceeded": "model_broken",
    "ServerOverloaded": "pool_limited",
    "RequestBurstTooFast": "pool_limited",
    "ModelLoadingError": "transient",
    "InternalServiceError": "transient",
    "APITimeoutError": "transient",
}


@pytest.mark.parametrize(("code", "found"), REFERENCE.items())
def test_the_reference_table(code, found):
    assert class_of_code(code) is ErrorClass(found)


@pytest.mark.parametrize("code", ARK_CODES)
def test_a_code_and_its_refinements(code):
    found = ARK_CODES[code]

    assert class_of_code(code) is found
    assert class_of_code(f"{code}.Anything.More") is found
    assert class_of_code(f"{code}X") is not found or f"{code}X" in ARK_CODES


@pytest.mark.parametrize(
    "code", ["", ".", "..", "InvalidEndpoint", "accessdenied", "X.AccessDenied", ".AccessDenied"]
)
def test_what_is_not_listed_is_unknown(code):
    assert class_of_code(code) is None


@given(st.text(max_size=60), st.sampled_from(sorted(ARK_CODES)))
def test_only_whole_words_match(text, code):
    for candidate in (text, code + text, f"{code}.{text}"):
        prefixes = [candidate]
        while "." in prefixes[-1]:
            prefixes.append(prefixes[-1].rpartition(".")[0])
        known = [ARK_CODES[prefix] for prefix in prefixes if prefix in ARK_CODES]
        assert class_of_code(candidate) is (known[0] if known else None)
