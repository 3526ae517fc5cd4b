"""Who may use which route of which listener? The one table, written by hand.

A route is named as its router has it: `METHOD path`. The routers are read at run time
(`support.routers`); a route that is not here fails the tests, and so does a line without a route.
Under each policy stands what a credential gets (`expected`).
"""

from dataclasses import dataclass
from enum import Enum

from arkway.store.admin_tokens import Role


class Policy(Enum):
    """Who may."""

    OPEN = "anybody; no credential is looked at"
    API_KEY = "the holder of a good API key"
    VIEWER = "an admin token or session of at least the role viewer"
    OPERATOR = "the same, of at least the role operator"
    ADMIN = "the same, of the role admin"
    OWN_SESSION = "a session, of whatever role; no token"
    PAGE = "a session, of whatever role; others are sent to the login"
    UPLOAD = "a page of ours, with a session of at least the role operator"
    SOCKET = "a page of ours, with a session of whatever role"
    PROVED = "the gateway's own processes, by a proof; no credential"


OPEN, API_KEY, VIEWER, OPERATOR, ADMIN, OWN_SESSION, PAGE, UPLOAD, SOCKET, PROVED = Policy

PUBLIC = {
    "POST /v1/chat/completions": API_KEY,
    "GET /v1/models": API_KEY,
    "GET /v1/models/*": API_KEY,
    "GET /v1/usage": API_KEY,
    "GET /docs/*": OPEN,  # with `server.docs` alone
    "HEAD /docs/*": OPEN,
}
OPS = {
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /status": OPEN,
    "POST /accounts/test": PROVED,
}
CONTROL = {
    "GET /admin/openapi.json": OPEN,
    "GET /admin/v1/tenants": VIEWER,
    "POST /admin/v1/tenants": OPERATOR,
    "GET /admin/v1/tenants/{tenant}": VIEWER,
    "GET /admin/v1/keys": VIEWER,
    "POST /admin/v1/keys": OPERATOR,
    "GET /admin/v1/keys/{key}": VIEWER,
    "PATCH /admin/v1/keys/{key}": OPERATOR,
    "DELETE /admin/v1/keys/{key}": OPERATOR,
    "POST /admin/v1/keys/{key}/rotate": OPERATOR,
    "GET /admin/v1/accounts": VIEWER,
    "POST /admin/v1/accounts": ADMIN,
    "GET /admin/v1/accounts/{account}": VIEWER,
    "PATCH /admin/v1/accounts/{account}": ADMIN,
    "DELETE /admin/v1/accounts/{account}": ADMIN,
    "GET /admin/v1/accounts/{account}/health": VIEWER,
    "POST /admin/v1/accounts/{account}/test": OPERATOR,
    "POST /admin/v1/accounts/{account}/drain": OPERATOR,
    "POST /admin/v1/accounts/{account}/enable": OPERATOR,
    "GET /admin/v1/models": VIEWER,
    "POST /admin/v1/models": ADMIN,
    "GET /admin/v1/models/{model}": VIEWER,
    "PATCH /admin/v1/models/{model}": ADMIN,
    "GET /admin/v1/prices": VIEWER,
    "POST /admin/v1/prices": ADMIN,
    "GET /admin/v1/usage": VIEWER,
    "GET /admin/v1/calls": VIEWER,
    "GET /admin/v1/calls/{call}": VIEWER,
    "GET /admin/v1/settings": VIEWER,
    "GET /admin/v1/health": VIEWER,
    "GET /admin/v1/audit": VIEWER,
    "GET /admin/v1/tokens": ADMIN,
    "POST /admin/v1/tokens": ADMIN,
    "GET /admin/v1/tokens/{token}": ADMIN,
    "DELETE /admin/v1/tokens/{token}": ADMIN,
    "POST /admin/v1/session": OPEN,
    "GET /admin/v1/session": VIEWER,
    "DELETE /admin/v1/session": OWN_SESSION,
    "GET /admin/v1/sessions": ADMIN,
    "DELETE /admin/v1/sessions": ADMIN,
    "DELETE /admin/v1/sessions/{session}": ADMIN,
    "GET /docs": OPEN,
    "GET /docs/{path:path}": OPEN,
    "GET /login": OPEN,
    "GET /favicon.ico": OPEN,
    "GET /console/*": OPEN,
    "GET /_nicegui/*": OPEN,  # its files; where one is below it is told by the next lines
    "GET /_nicegui/VERSION/static/*": OPEN,
    "GET /_nicegui/VERSION/libraries/{key:path}": OPEN,
    "GET /_nicegui/VERSION/components/{key:path}": OPEN,
    "GET /_nicegui/VERSION/resources/{key}/{path:path}": OPEN,
    "GET /_nicegui/VERSION/dynamic_resources/{name}": OPEN,
    "GET /_nicegui/VERSION/esm/{key}/{path:path}": OPEN,
    "SOCKET /_nicegui_ws/*": SOCKET,
    "GET /": PAGE,
    "GET /accounts": PAGE,
    "GET /keys": PAGE,
    "GET /keys/{key}": PAGE,
    "GET /models": PAGE,
    "GET /usage": PAGE,
    "GET /calls": PAGE,
    "GET /calls/{call}": PAGE,
    "GET /audit": PAGE,
    "GET /playground": PAGE,
    "GET /lab": PAGE,
    "GET /settings": PAGE,
    "GET /access": PAGE,
    "GET /export/usage.csv": PAGE,
    "POST /lab/trace": UPLOAD,
}
LEAST_ROLE = {VIEWER: Role.VIEWER, OPERATOR: Role.OPERATOR, ADMIN: Role.ADMIN}
REACHED = 200  # stands for whatever the route itself answers


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows, and what of it is good."""

    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    api_key: bool = False
    token: Role | None = None  # of a good admin token
    session: Role | None = None  # of a good session
    csrf: bool = False  # the session's own
    origin: str = "none"  # or "ours", "foreign"


def expected(route: str, policy: Policy, shown: Shown) -> int:
    """Return the status that `shown` gets; REACHED when it is let through."""
    writes = not route.startswith(("GET ", "HEAD ", "SOCKET "))
    has_proof = shown.csrf and shown.origin == "ours"
    match policy:
        case Policy.OPEN:
            return 403 if writes and shown.origin == "foreign" else REACHED
        case Policy.API_KEY:
            return REACHED if shown.api_key else 401
        case Policy.PAGE:
            return REACHED if shown.session else 303
        case Policy.SOCKET:
            return REACHED if shown.session and shown.origin == "ours" else 403
        case Policy.PROVED:
            return 403
        case Policy.UPLOAD:
            if shown.session is None:
                return 401
            return REACHED if shown.session.covers(Role.OPERATOR) and has_proof else 403
        case _:
            return _on_admin(policy, shown, writes=writes)


def _on_admin(policy: Policy, shown: Shown, *, writes: bool) -> int:
    role = shown.session or shown.token
    if role is None:
        return 401
    if policy is OWN_SESSION and shown.session is None:
        return 403
    if not role.covers(LEAST_ROLE.get(policy, Role.VIEWER)):
        return 403
    if writes and shown.origin == "foreign":
        return 403
    is_proven = shown.session is None or (shown.csrf and shown.origin == "ours")
    return REACHED if is_proven or not writes else 403


def unlike(routes: list[str], table: dict[str, Policy]) -> list[str]:
    """Return what is wrong with `table` for the routes that there are."""
    twice = {route for route in routes if routes.count(route) > 1}
    return [
        *(f"{route}: a route without a policy" for route in routes if route not in table),
        *(f"{route}: a policy without a route" for route in table if route not in routes),
        *(f"{route}: is there twice" for route in sorted(twice)),
    ]
