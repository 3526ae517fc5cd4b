"""Which routes has the admin API? All of them, in the order of the documentation."""

from typing import Any

from arkway.control.admin import (
    access,
    accounts,
    books,
    keys,
    models,
    openapi,
    system,
    tenants,
    trials,
)
from arkway.control.admin.operation import OPEN_TO_ALL, Ask, Desk, Operation


def _describe(_desk: Desk, _ask: Ask) -> object:
    return openapi.document(OPERATIONS)


OPERATIONS: tuple[Operation, ...] = (
    *tenants.OPERATIONS,
    *keys.OPERATIONS,
    *accounts.OPERATIONS,
    *trials.OPERATIONS,
    *models.OPERATIONS,
    *books.OPERATIONS,
    *system.OPERATIONS,
    *access.OPERATIONS,
    Operation(
        name="describe",
        method="GET",
        path="/admin/openapi.json",
        policy=OPEN_TO_ALL,
        work=_describe,
        summary="Describe the admin API, as OpenAPI 3.1.",
        answer=dict[str, Any],
    ),
)
