"""How does the admin API refuse? One form, from a closed list of codes."""

from collections.abc import Iterable

from arkway.store.problems import Problem, Refused

# code -> (status, what it means), as docs/admin-api.md has them.
CODES: dict[str, tuple[int, str]] = {
    "invalid_request": (400, "The request is wrong; `problems` names each parameter and rule."),
    "missing_credential": (401, "No credential: a Bearer admin token or a session's cookie."),
    "invalid_credential": (401, "The credential is malformed, unknown, revoked or expired."),
    "forbidden": (403, "The credential's role does not reach this."),
    "csrf_failed": (403, "A change with a cookie, without its `x-csrf-token` or `Origin`."),
    "foreign_origin": (403, "The request was sent by a page of another origin."),
    "not_found": (404, "There is no such route, or nothing of this name."),
    "method_not_allowed": (405, "The route has other methods; `Allow` names them."),
    "not_in_use": (409, "The gateway does not use this account: it is disabled, or left out."),
    "body_too_large": (413, "The body is larger than 256 KiB."),
    "json_required": (415, "A body must be `application/json`."),
    "unknown_host": (421, "The `Host` is not a name of this gateway."),
    "too_many_logins": (429, "Too many failed logins from this address; see `Retry-After`."),
    "internal_error": (500, "A fault of the control process; it has been logged."),
    "store_unavailable": (503, "The store is held by another process, or cannot be written."),
    "ledger_unavailable": (503, "The ledger cannot be read or written, or took longer than 2 s."),
    "gateway_unavailable": (503, "The gateway does not answer, is stopping, or has no time."),
}


class AdminError(Exception):
    """A refusal of the admin API. The message holds no secret."""

    def __init__(
        self,
        code: str,
        message: str = "",
        problems: Iterable[Problem] = (),
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.status, usual = CODES[code]
        self.code = code
        self.message = message or usual
        self.problems = tuple(problems)
        self.headers = tuple(headers)
        super().__init__(self.message)

    def document(self, request_id: str) -> dict[str, object]:
        """Return the body of the answer."""
        problems = [
            {"path": each.path, "message": each.message, "hint": each.hint}
            for each in self.problems
        ]
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "problems": problems,
                "request_id": request_id,
            }
        }


def wrong(*problems: Problem) -> AdminError:
    """Return the refusal of a request with these problems."""
    return AdminError("invalid_request", "; ".join(map(str, problems)), problems)


def of_refused(refused: Refused, code: str) -> AdminError:
    """Return the refusal of a change that the store refused."""
    return AdminError(code, str(refused), refused.problems)
