"""Which connection takes the next attempt? Per-account connections, and the clocks' sweep.

Idle connections are used last-in first-out, so that a quiet account lets the rest go. There is no
waiting for a connection: an account at its bound refuses, and the next one is tried.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import msgspec

from arkway.model.call import Target
from arkway.model.catalogue import AccountSpec, Clocks
from arkway.model.errors import Overloaded, UpstreamError
from arkway.model.ids import AccountId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.connection_io import UpstreamConnection
from arkway.wire.http import request_head
from arkway.wire.outbox import Outbox

# One read of an upstream. With the 64 KiB high-water mark of the caller's side it bounds what a
# stream buffers well below 256 KiB.
READ_BYTES = 64 * 1024
_PATH = "/chat/completions"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UpstreamLimits(msgspec.Struct, frozen=True):
    """Bounds of the upstream side."""

    max_connections: int = 1024  # per account
    idle_connections: int = 64  # kept per account
    idle_s: float = 30.0
    max_answer_bytes: int = 32 * 1024 * 1024


class AccountConnections:
    """The connections of one account, and how to open more."""

    def __init__(
        self,
        account: AccountSpec,
        limits: UpstreamLimits,
        read_buffer: memoryview,
        user_agent: str,
        outbox: Outbox,
    ) -> None:
        self.account = account
        self.put = outbox.put
        self.read_buffer = read_buffer
        self._limits = limits
        self._max_answer_bytes = limits.max_answer_bytes
        self._loop = asyncio.get_running_loop()
        self.now_s: Callable[[], float] = self._loop.time
        url = urlsplit(account.base_url)
        self._host = url.hostname or ""
        self._port = url.port or _DEFAULT_PORTS[url.scheme]
        self._tls = _tls_context(account.ca_file) if url.scheme == "https" else None
        self._heads = {
            is_stream: request_head(
                url.path.rstrip("/") + _PATH,
                url.netloc,
                _headers(account, user_agent, is_stream=is_stream),
            )
            for is_stream in (False, True)
        }
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._connecting: dict[Attempt, asyncio.Task[None]] = {}

    def begin(
        self,
        body: bytes,
        lines: bytes,
        clocks: Clocks,
        is_stream: bool,
        wants_new: bool = False,
    ) -> Attempt:
        """Start an attempt: on an idle connection, or on a new one.

        Shapes:  lines: more header lines, each ending in CRLF.
        """
        now_s = self.now_s()
        total_s = now_s + clocks.total_s
        idle, connection = self._idle, None
        while idle and not wants_new:
            connection = idle.pop()
            if not connection.is_closing():
                within_s = clocks.first_token_s if is_stream else clocks.plain_answer_s
                break
            connection = None
        else:
            within_s = clocks.connect_s
        deadline_s = now_s + within_s
        attempt = Attempt(
            b"%b%d\r\n%b\r\n%b" % (self._heads[is_stream], len(body), lines, body),
            clocks,
            is_stream,
            self._max_answer_bytes,
            total_s,
            deadline_s if deadline_s < total_s else total_s,
            self,
            connection,
            0.0 if connection is None else now_s,
        )
        if connection is None:
            self.connect(attempt)
        else:
            connection.send(attempt)
        return attempt

    def closed(self, attempt: Attempt) -> None:
        """Forget an attempt; stop connecting for it."""
        if self._connecting and attempt in self._connecting:
            self._connecting.pop(attempt).cancel()

    def connect(self, attempt: Attempt) -> None:
        """Open a connection for `attempt`."""
        if len(self._open) + len(self._connecting) >= self._limits.max_connections:
            error = Overloaded("Too many calls are in progress.", retry_after_s=1.0)
            attempt.failure = AttemptFailed(
                Ending.NOT_SENT, ErrorClass.ACCOUNT_LIMITED, error, "account is at max_connections"
            )
            return
        self._connecting[attempt] = self._loop.create_task(self._connect(attempt))

    async def _connect(self, attempt: Attempt) -> None:
        try:
            _, connection = await self._loop.create_connection(
                partial(UpstreamConnection, self), self._host, self._port, ssl=self._tls
            )
        except (OSError, ssl.SSLError, UnicodeError) as error:
            self._connecting.pop(attempt, None)
            failure = UpstreamError("The upstream could not be reached.")
            attempt.fail(Ending.NOT_SENT, failure, f"connect failed: {_describe(error)}")
            return
        self._open.add(connection)
        if self._connecting.pop(attempt, None) is None or attempt.failure is not None:
            self.returned(connection)  # the caller left meanwhile: somebody else may use it
        else:
            attempt.sent_by(connection, self.now_s())
            connection.send(attempt)

    def returned(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next attempt, within the bound."""
        if len(self._idle) < self._limits.idle_connections:
            connection.idle_since_s = self.now_s()
            self._idle.append(connection)
        else:
            connection.drop()

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a closed connection."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self, now_s: float) -> None:
        """Apply the attempts' clocks."""
        attempts = [*self._connecting, *[c.attempt for c in self._open if c.attempt is not None]]
        for attempt in attempts:
            if now_s >= attempt.deadline_s:
                attempt.on_deadline()

    def sweep_idle(self, now_s: float) -> None:
        """Close connections that were idle for too long."""
        for connection in [c for c in self._open if c.is_overdue(now_s, self._limits.idle_s)]:
            connection.drop()

    def retire(self) -> None:
        """Close idle connections and keep no others: the account has changed or gone."""
        self._limits = msgspec.structs.replace(self._limits, idle_connections=0)
        for connection in [*self._idle]:
            connection.drop()

    @property
    def is_quiet(self) -> bool:
        """Whether no attempt and no connection is left."""
        return not (self._open or self._connecting)


class Upstream:
    """All accounts' connections, and the attempts under way."""

    def __init__(
        self, limits: UpstreamLimits, read_buffer: memoryview, user_agent: str, outbox: Outbox
    ) -> None:
        self._limits = limits
        self._read_buffer = read_buffer
        self._user_agent = user_agent
        self._outbox = outbox
        self._pools: dict[AccountId, AccountConnections] = {}
        self._retired: list[AccountConnections] = []  # until their attempts have ended

    def apply(self, accounts: tuple[AccountSpec, ...]) -> None:
        """Serve exactly `accounts` from now on; attempts under way finish where they are."""
        old = self._pools
        self._pools = {
            account.id: old[account.id]
            if account.id in old and old[account.id].account == account
            else AccountConnections(
                account, self._limits, self._read_buffer, self._user_agent, self._outbox
            )
            for account in accounts
        }
        for account_id, pool in old.items():
            if self._pools.get(account_id) is not pool:
                pool.retire()
                self._retired.append(pool)

    def open(
        self,
        target: Target,
        body: bytes,
        lines: bytes,
        clocks: Clocks,
        is_stream: bool,
        wants_new: bool = False,
    ) -> Attempt:
        """Start one attempt. Its outcome comes through the attempt; close it whatever it is.

        It goes on a connection that nobody has used if it `wants_new`.

        Errors:  AttemptFailed when the account has left the configuration since the call began.
        """
        pool = self._pools.get(target.account.id)
        if pool is None:
            raise AttemptFailed(
                Ending.NOT_SENT,
                ErrorClass.TRANSIENT,
                UpstreamError("The upstream could not be reached."),
                "the account left the configuration",
            )
        return pool.begin(body, lines, clocks, is_stream, wants_new)

    def sweep(self, now_s: float) -> None:
        """Apply the attempts' clocks; called several times a second."""
        for pool in (*self._pools.values(), *self._retired):
            pool.sweep(now_s)

    def sweep_idle(self, now_s: float) -> None:
        """Close connections that were idle for too long; called a few times a second."""
        for pool in (*self._pools.values(), *self._retired):
            pool.sweep_idle(now_s)
        self._retired = [pool for pool in self._retired if not pool.is_quiet]


def _headers(account: AccountSpec, user_agent: str, *, is_stream: bool) -> dict[str, str]:
    headers = {
        "user-agent": user_agent,
        "content-type": "application/json",
        "accept": "text/event-stream" if is_stream else "application/json",
        "accept-encoding": "identity",
    }
    if account.credential:
        headers["authorization"] = f"Bearer {account.credential.reveal()}"
    return headers


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _describe(error: Exception) -> str:
    """Return a connect failure for the log, without addresses of ours in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
