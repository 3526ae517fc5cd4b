"""What came of a call that may be refused? Its result or its refusal, for property tests."""

from arkway.model.errors import GatewayError


def outcome(function, *args, **options):
    """Return `(result, None)` or `(None, refusal)`; any other exception is the test's failure."""
    try:
        return function(*args, **options), None
    except GatewayError as refusal:
        return None, refusal
