"""Does the admin API keep its own description? Schemathesis walks it, with and without a token."""

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode

from support.control import Control
from support.described import CHECKS, NOT_OURS, many

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(NOT_OURS)]
# Each example is a request that is answered in some milliseconds: 45 operations, 20 s at most.
EXAMPLES = 8


@pytest.fixture(scope="module")
def control():
    with Control() as control:
        yield control
        assert "control_error" not in control.log()


@pytest.fixture(scope="module")
def schema(control):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{control.port}/admin/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_it_is_described(control, schema, mode):
    headers = {"Authorization": f"Bearer {control.token}"}
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in ("begin_session", "revoke_token"):
            continue  # one is slowed down, the other could end the token that asks

        @many(EXAMPLES)
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        one()
        seen.add(operation.label)
    assert len(seen) > 35


def test_without_a_credential_every_operation_but_the_open_ones_is_refused(control, schema):
    for found in schema.get_all_operations():
        operation = found.ok()
        raw = operation.definition.raw
        if not raw["security"]:
            assert raw["operationId"] in ("begin_session", "describe")
            continue

        @many(3)
        @given(case=operation.as_strategy())
        def one(case):
            case.headers = {}
            case.cookies = {}
            answer = case.call()
            assert answer.status_code in (401, 404), answer.text

        one()
