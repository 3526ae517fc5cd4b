"""Which routes has the admin API? All of them, in the order of the documentation."""

from arkway.control.admin import access, accounts, books, keys, models, system, tenants
from arkway.control.admin.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *tenants.OPERATIONS,
    *keys.OPERATIONS,
    *accounts.OPERATIONS,
    *models.OPERATIONS,
    *books.OPERATIONS,
    *system.OPERATIONS,
    *access.OPERATIONS,
)
