"""What did the gateway really send, and when? A scripted upstream with byte-level control.

One `Upstream` is a pool of accounts: several listening ports served by one event loop in one
thread. Answers are chosen by the last user message: `prompt = upstream.plan(first, second)` gives
a prompt whose first request (on whatever account) is answered by `first`, and every later one by
`second`. Everything received is logged as `Seen`; anything in it that a careful HTTP peer would
not send is a `violation`.

Nothing here imports `arkway`: the log is the oracle of the tests.
"""

import asyncio
import contextlib
import itertools
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from support.answers import CLOSE, HANG, RESET, Answer, Gate, Pause, reply

_HEAD_LIMIT = 1 << 16
_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1\Z")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([ -~\x80-\xff]*)\Z")
_HANG_LIMIT_S = 60.0  # no script outlives its test by more than this
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST


@dataclass(eq=False)
class Seen:
    """One request as it arrived, and what became of its answer. Times are monotonic seconds."""

    account: int  # which listening port
    connection: int  # serial number of the TCP connection
    nth_on_connection: int  # 0 for the first request of its connection
    head: bytes
    method: str
    target: str
    headers: list[tuple[str, str]]  # lower-case names, wire order
    body: bytes
    arrived_s: float
    sent_bytes: int = 0
    script_ended: threading.Event = field(default_factory=threading.Event)
    peer_left: threading.Event = field(default_factory=threading.Event)
    peer_left_s: float | None = None

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """The text of the last user message (or ""), by which answers are planned."""
        try:
            messages = self.json["messages"]
            content = [m for m in messages if m.get("role", "user") == "user"][-1]["content"]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return ""
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        return content if isinstance(content, str) else ""


class Upstream:
    """A pool of scripted accounts; use it as a context manager."""

    def __init__(
        self,
        accounts: int = 1,
        *,
        tls: ssl.SSLContext | None = None,
        default: Answer | None = None,
        send_buffer: int | None = None,
    ) -> None:
        self.ports: list[int] = []
        self.violations: list[str] = []
        self.log: list[Seen] = []
        self.default = default or reply()
        self.connections_made = 0
        self._accounts = accounts
        self._tls = tls
        self._send_buffer = send_buffer
        self._plans: dict[str, list[Answer]] = {}
        self._served: dict[str, int] = {}
        self._serial = itertools.count()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._servers: dict[int, asyncio.Server] = {}
        self._open: dict[asyncio.Task[None], int] = {}

    # -- life ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        for account in range(self._accounts):
            self.ports.append(self._call(self._listen(account, 0)))
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def base_url(self, account: int = 0) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.ports[account]}/v1"

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, account: int, port: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._open[task] = account
            try:
                await _Wire(self, account, reader, writer).serve()
            except (ConnectionError, TimeoutError, ssl.SSLError):
                pass
            except asyncio.CancelledError:
                writer.transport.abort()  # swallowed: a cancelled handler is logged by asyncio
            finally:
                del self._open[task]
                writer.close()

        server = await asyncio.start_server(
            serve, "127.0.0.1", port, ssl=self._tls, backlog=4096, limit=1 << 20
        )
        self._servers[account] = server
        return server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        for server in self._servers.values():
            server.close()
        await self._drop_connections(None)

    async def _drop_connections(self, account: int | None) -> None:
        tasks = [t for t, owner in self._open.items() if account in (None, owner)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the test's side -----------------------------------------------------------------------

    def plan(self, *answers: Answer) -> str:
        """Return a new prompt whose n-th request gets the n-th answer; the last one repeats."""
        prompt = f"plan {next(self._serial)}"
        self._plans[prompt] = list(answers)
        return prompt

    def seen(self, prompt: str) -> list[Seen]:
        with self._changed:
            return [seen for seen in self.log if seen.prompt == prompt]

    def wait_seen(self, prompt: str, count: int = 1, *, timeout_s: float = 10.0) -> list[Seen]:
        """Wait until `prompt` has been received `count` times."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: sum(seen.prompt == prompt for seen in self.log) >= count, timeout_s
            )
        assert arrived, f"{prompt!r} arrived {len(self.seen(prompt))} times, not {count}"
        return self.seen(prompt)

    def only(self, prompt: str) -> Seen:
        """Return the one request of `prompt`; more or fewer fail."""
        (seen,) = self.seen(prompt)
        return seen

    @contextlib.contextmanager
    def refusing(self, account: int) -> Iterator[None]:
        """Refuse connections to one account inside the block; open ones are reset."""
        server = self._servers.pop(account)
        self._loop.call_soon_threadsafe(server.close)
        self._call(self._drop_connections(account))
        try:
            yield
        finally:
            self._call(self._listen(account, self.ports[account]))

    def drop_idle_connections(self, account: int) -> None:
        """Close every connection of an account behind the gateway's back."""
        self._call(self._drop_connections(account))

    # -- the wire's side (event loop thread) -----------------------------------------------------

    def _received(self, seen: Seen) -> Answer:
        with self._changed:
            self.log.append(seen)
            self._changed.notify_all()
        plan = self._plans.get(seen.prompt)
        if plan is None:
            return self.default
        turn = self._served.get(seen.prompt, 0)
        self._served[seen.prompt] = turn + 1
        return plan[min(turn, len(plan) - 1)]


class _Wire:
    """One connection: read a request, play its script, watch for the peer leaving meanwhile."""

    def __init__(
        self,
        upstream: Upstream,
        account: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._upstream = upstream
        self._account = account
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        upstream.connections_made += 1
        self._serial = upstream.connections_made
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if upstream._send_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, upstream._send_buffer)
        if upstream._tls is None:  # asyncio's TLS never resumes a writer with a limit of 0
            writer.transport.set_write_buffer_limits(high=0)  # drain() means "the kernel has it"

    async def serve(self) -> None:
        for nth in itertools.count():
            seen = await self._request(nth)
            if seen is None:
                return
            answer = self._upstream._received(seen)
            playing = asyncio.ensure_future(self._play(seen, answer))
            watching = asyncio.ensure_future(self._watch(seen))
            try:
                await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
                if not playing.done():
                    return
                if not playing.result():
                    return
            finally:
                for task in (playing, watching):
                    task.cancel()
                await asyncio.gather(playing, watching, return_exceptions=True)

    async def _watch(self, seen: Seen) -> None:
        """Return when the peer leaves; bytes it sends early are kept for the next request."""
        while True:
            try:
                data = await self._reader.read(1 << 16)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                seen.peer_left_s = time.monotonic()
                seen.peer_left.set()
                return
            self._buffer += data

    async def _play(self, seen: Seen, answer: Answer) -> bool:
        """Send the script; True when the connection can carry another request."""
        transport = self._writer.transport
        for step in answer(seen):
            match step:
                case bytes():
                    self._writer.write(step)
                    await self._writer.drain()
                    seen.sent_bytes += len(step)
                    await asyncio.sleep(0)  # drain() alone never yields to a fast reader
                case Pause():
                    await asyncio.sleep(step.seconds)
                case Gate():
                    await self._pass(step)
                case _ if step is RESET:
                    sock = self._writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                    transport.abort()
                    seen.script_ended.set()
                    return False
                case _ if step is CLOSE:
                    seen.script_ended.set()
                    return False
                case _:
                    assert step is HANG, step
                    await asyncio.sleep(_HANG_LIMIT_S)
                    return False
        seen.script_ended.set()
        return True

    async def _pass(self, gate: Gate) -> None:
        loop, opened = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
                loop.call_soon_threadsafe(opened.set)

        gate.reached.set()
        gate.when_open(wake)
        await asyncio.wait_for(opened.wait(), _HANG_LIMIT_S)

    # -- parsing -------------------------------------------------------------------------------

    def _complain(self, what: str, bytes_: bytes) -> None:
        self._upstream.violations.append(f"{what}: {bytes_[:300]!r}")

    async def _until(self, done: Callable[[], bool]) -> bool:
        while not done():
            data = await self._reader.read(1 << 16)
            if not data:
                return False
            self._buffer += data
        return True

    async def _request(self, nth: int) -> Seen | None:
        """Read one request, strictly; None at the end of the connection."""
        if not await self._until(lambda: b"\r\n\r\n" in self._buffer):
            if self._buffer:
                self._complain("connection ended inside a head", bytes(self._buffer))
            return None
        raw, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        arrived_s = time.monotonic()
        first, *lines = raw.split(b"\r\n")
        request_line = _REQUEST_LINE.match(first)
        headers = []
        for line in lines:
            if header := _HEADER.match(line):
                headers.append((header[1].decode().lower(), header[2].decode("latin-1")))
            else:
                self._complain("bad header line", line)
        if request_line is None:
            self._complain("bad request line", first)
            return None
        lengths = [value for name, value in headers if name == "content-length"]
        self._check(raw, headers, lengths)
        length = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
        if not await self._until(lambda: len(self._buffer) >= length):
            self._complain("connection ended inside a body", bytes(self._buffer))
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return Seen(
            account=self._account,
            connection=self._serial,
            nth_on_connection=nth,
            head=raw,
            method=request_line[1].decode(),
            target=request_line[2].decode(),
            headers=headers,
            body=body,
            arrived_s=arrived_s,
        )

    def _check(self, raw: bytes, headers: list[tuple[str, str]], lengths: list[str]) -> None:
        """Note what a careful client never sends; a gateway frames its own requests."""
        names = [name for name, _ in headers]
        if len(raw) > _HEAD_LIMIT:
            self._complain("huge head", raw)
        if b"\n" in raw.replace(b"\r\n", b"") or b"\0" in raw:
            self._complain("bare LF or NUL in the head", raw)
        if names.count("host") != 1:
            self._complain("not exactly one Host", raw)
        if len(lengths) > 1 or any(not length.isdigit() for length in lengths):
            self._complain("bad Content-Length", raw)
        if "transfer-encoding" in names:
            self._complain("Transfer-Encoding where the body length is known", raw)
        if dict(headers).get("accept-encoding", "identity") != "identity":
            self._complain("asks for a coded answer", raw)


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port that never completes a handshake: its accept queue is full.

    Linux drops the SYN of a connection that would not fit, so the peer's connect() hangs.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
