"""A gateway with a scripted upstream behind it, checked once more when it is taken down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from support.gateway import Gateway, Settings, accounts
from support.upstream import Upstream

# For upstreams that fail in every other test: none is ejected, and retries are not counted.
FORGIVING: dict[str, Any] = {
    "routing": {"failures_in_a_row": 1000, "failure_share": 1.0, "retries_per_s": 1000}
}


class Lab(NamedTuple):
    """One gateway process and the upstream accounts it knows."""

    gateway: Gateway
    upstream: Upstream


@contextmanager
def open_lab(
    *,
    dialect: str = "openai",
    number_of_accounts: int = 1,
    settings: Settings | None = None,
    upstream: dict[str, Any] | None = None,
    account: Settings | None = None,
    env: dict[str, str] | None = None,
) -> Iterator[Lab]:
    """Start both and, when the block ends well, hold what is true of every run.

    The gateway is still there and logged no unhandled exception; its requests to the upstream
    were well-formed HTTP.
    """
    with Upstream(number_of_accounts, **(upstream or {})) as pool:
        config = {"accounts": accounts(pool, dialect, **(account or {})), **(settings or {})}
        with Gateway(config, env=env) as gateway:
            yield Lab(gateway, pool)
            assert gateway.is_running(), gateway.output()
            assert gateway.unhandled() == ""
        assert pool.violations == []
