"""What does a call cost without the kernel? One plain call through the real data plane in memory.

    python bench/inside.py [ROUNDS]     # prints microseconds a call: the best round, and the median
    python bench/inside.py --profile    # prints where the calls go, by function

The listener, the pipeline and the upstream's connections are the real ones; their transports are
fakes that answer at once. So a figure holds what the code costs and nothing of system calls. The
best of many short rounds is steady even where the machine is not.
"""

import cProfile
import pstats
import statistics
import sys
import time

import uvloop

from arkway.booking import Told
from arkway.ledger.entry import End, Intent
from arkway.listener.connection_io import Connection
from arkway.listener.reader import ReaderLimits
from arkway.listener.server_io import Listener, ListenerTimeouts
from arkway.model.catalogue import (
    AccountSpec,
    Dialect,
    KeySpec,
    ModelSpec,
    Price,
    Secret,
    Snapshot,
)
from arkway.model.ids import AccountId, TenantId
from arkway.model.key_digest import key_digest
from arkway.routing.pool import Pool
from arkway.runtime.plane import WorkerPlane
from arkway.telemetry.log_io import Log
from arkway.upstream.accounts_io import READ_BYTES, AccountConnections, Upstream, UpstreamLimits
from arkway.upstream.connection_io import UpstreamConnection
from arkway.wire.outbox import Outbox
from arkway.work import PipelineLimits

KEY = "sk-" + "b" * 48
CALLS, ROUNDS = 2_000, 40
_BODY = (
    b'{"model":"Doubao-1.5-pro-32k","messages":[{"role":"user","content":"Hello, can you explain '
    b'quantum mechanics to me?"}],"temperature":0.7,"max_tokens":1024}'
)
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json"
    b"\r\nAccept: application/json\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
) % (KEY.encode(), len(_BODY), _BODY)
_ANSWER = (
    b'{"id":"0217001234567890abcdef","object":"chat.completion","created":1699999999,"model":'
    b'"doubao-1-5-pro-32k-250115","choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"Quantum mechanics is a branch of physics that studies the microscopic world. It describes '
    b'how matter and energy behave at the scale of atoms."},"finish_reason":"stop","logprobs":null}'
    b'],"usage":{"prompt_tokens":10,"completion_tokens":30,"total_tokens":40,'
    b'"prompt_tokens_details":{"cached_tokens":0}}}'
)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_ANSWER),
    _ANSWER,
)


class CallerSide:
    """The transport of a caller's connection; it counts the answers."""

    def __init__(self) -> None:
        self.answers = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        self.answers += 1
        self.last = data

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return ("127.0.0.1", 1)


class UpstreamSide:
    """The transport of an upstream's connection: whatever is written is answered at once."""

    def __init__(self, protocol: UpstreamConnection, buffer: memoryview) -> None:
        self._protocol, self._buffer = protocol, buffer

    def write(self, _request: bytes) -> None:
        self._buffer[: len(RESPONSE)] = RESPONSE
        self._protocol.get_buffer(-1)
        self._protocol.buffer_updated(len(RESPONSE))

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        raise AssertionError("the connection should have been kept")


class Ledger:
    """A ledger whose disk takes no time; `bench/ledger.py` measures the real one."""

    is_open = True

    def append(self, _entry: Intent | End, told: Told | None = None) -> bool:
        if told is not None:
            told(True)
        return True


def compose() -> tuple[Connection, CallerSide, Outbox]:
    """Return a caller's connection of a data plane with one account, its transport, its outbox."""
    outbox = Outbox(lambda _flush: None)
    buffer = memoryview(bytearray(READ_BYTES))
    account = AccountSpec(AccountId("a"), Dialect.OPENAI, "http://127.0.0.1:9/v1", Secret("up"))
    price = Price(1, "CNY", 800_000_000, 160_000_000, 2_000_000_000)
    model = ModelSpec(
        "Doubao-1.5-pro-32k", "doubao-1-5-pro-32k-250115", 32_768, 12_288, price=price
    )
    secret = b"k" * 32
    digest = key_digest(secret, KEY.encode())
    key = KeySpec(digest, "bench", TenantId("default"))
    snapshot = Snapshot({model.name: model}, (account,), {digest: key}, key_secret=secret)
    upstream = Upstream(UpstreamLimits(), buffer, "arkway/bench", outbox)
    log = Log("warning", "json")
    plane = WorkerPlane(snapshot, PipelineLimits(), Pool(b"s" * 32), upstream, Ledger(), log)
    limits, timeouts = ReaderLimits(), ListenerTimeouts()
    listener = Listener(
        plane, limits, timeouts, outbox, max_connections=100, max_buffered_body_bytes=1 << 30
    )

    def connect(self: AccountConnections, attempt: object) -> None:
        connection = UpstreamConnection(self)
        connection.connection_made(UpstreamSide(connection, buffer))
        self._open.add(connection)
        attempt.sent_by(connection, 0.0)
        connection.send(attempt)

    AccountConnections.connect = connect
    door, caller = Connection(listener), CallerSide()
    door.connection_made(caller)
    return door, caller, outbox


def calls(door: Connection, outbox: Outbox, count: int) -> None:
    """Make `count` calls, one after the other."""
    receive, flush, request = door.data_received, outbox.flush, REQUEST
    for _ in range(count):
        receive(request)
        flush()


async def main() -> None:
    door, caller, outbox = compose()
    calls(door, outbox, CALLS)
    assert caller.answers == CALLS, caller.last
    assert caller.last.startswith(b"HTTP/1.1 200 OK"), caller.last
    if "--profile" in sys.argv:
        with cProfile.Profile() as profile:
            calls(door, outbox, CALLS)
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)
        return
    rounds = []
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        began = time.process_time()
        calls(door, outbox, CALLS)
        rounds.append((time.process_time() - began) / CALLS * 1e6)
    print(f"{min(rounds):.2f} us a call at best, {statistics.median(rounds):.2f} us in the median")


if __name__ == "__main__":
    uvloop.run(main())
