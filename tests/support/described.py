"""How is an API held against its own OpenAPI description? Schemathesis, and the same each time."""

from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# Warnings of Schemathesis and what it stands on, not of ours.
NOT_OURS = "ignore::DeprecationWarning"
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    response_schema_conformance,
    response_headers_conformance,
)


def many(examples):
    """Return the settings of a test of so many requests."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
