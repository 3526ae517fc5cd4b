"""Do the parts of a configuration agree? Ports that must differ, bounds. Pure."""

from arkway.control.config import Config
from arkway.store.problems import Problem

_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104  compared, not bound


def crosscheck(config: Config) -> list[Problem]:
    """Return the disagreements inside `config`."""
    problems = []
    server, limits = config.server, config.limits
    overlap = server.host == server.ops_host or not {server.host, server.ops_host}.isdisjoint(
        _EVERY_INTERFACE
    )
    if overlap and server.port == server.ops_port != 0:
        problems.append(Problem("server.ops_port", "must differ from server.port"))
    if limits.max_buffered_body_bytes < limits.max_body_bytes:
        path = "limits.max_buffered_body_bytes"
        problems.append(Problem(path, "must be at least limits.max_body_bytes"))
    control = config.control
    for given, missing in (("docs_model", "docs_key_file"), ("docs_key_file", "docs_model")):
        if getattr(control, given) and not getattr(control, missing):
            problems.append(Problem(f"control.{missing}", f"is needed with control.{given}"))
    return problems
