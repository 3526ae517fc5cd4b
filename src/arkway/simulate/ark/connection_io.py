"""What becomes of one caller's requests? From HTTP to the world, and its word back. Hot path."""

import asyncio
import time
from typing import TYPE_CHECKING

from arkway.simulate.ark.errors import Refusal, refusal
from arkway.simulate.ark.faults import Fault
from arkway.simulate.ark.form import JSON_TYPE, STREAM_TYPE, Form, chunk, head, id_headers
from arkway.simulate.ark.http_io import HttpConnection, Request
from arkway.simulate.ark.log_io import Record
from arkway.simulate.ark.play_io import IN_STREAM_CODE, Play
from arkway.simulate.ark.world import AccountState, Answer, Refused, Struck

if TYPE_CHECKING:
    from arkway.simulate.ark.server_io import Server

CHAT_PATH = b"/api/v3/chat/completions"
MODELS_PATH = b"/api/v3/models"
MAX_CONNECTIONS = 20_000  # of 28 000 ports that Linux gives the callers of one address
_HIGH_WATER_BYTES = 64 << 10  # then answers pause, as they would behind a slow reader
_GARBAGE = bytes(range(256)) * 4
_NO_ID = b""


class Connection(HttpConnection):
    """One caller's connection to one account, or to all of them."""

    def __init__(self, server: "Server", only: AccountState | None) -> None:
        super().__init__()
        self.server = server
        self._only = only
        self._play: Play | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._struck: Record | None = None  # the line of a fault that still goes on
        self.arrived_s = 0.0
        self.request_id = _NO_ID
        self._client_request_id = _NO_ID

    @property
    def account(self) -> AccountState | None:
        """Return whose port it came to; None: the port of all."""
        return self._only

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER_BYTES)
        self.server.connections.add(self)
        if len(self.server.connections) > MAX_CONNECTIONS:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        self.server.connections.discard(self)
        super().connection_lost(exc)

    def serve(self, request: Request) -> None:
        """Begin to answer."""
        server = self.server
        self.arrived_s = server.now_s()
        if request.path != CHAT_PATH or request.method != b"POST":
            self._elsewhere(request)
            return
        self.request_id = server.next_request_id()
        client_id = request.headers.get(b"x-client-request-id", _NO_ID)
        self._client_request_id = client_id
        key = request.headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        found = server.world.ask(key.decode("latin-1"), self._only, request.body, self.arrived_s)
        ids = id_headers(self.request_id, client_id)
        if type(found) is Answer:
            settings = server.settings
            form = Form(
                found, settings.tokenizer.bytes_per_token, self.request_id, int(time.time())
            )
            self._play = play = Play(self, found, form, ids)
            if not play.is_instant:
                self._log(self._record(found, "begun"))
            play.begin()
        elif type(found) is Struck:
            self._strike(found, ids)
        else:
            assert type(found) is Refused, found
            self._refused(found, ids)

    def left(self) -> None:
        """The caller has gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self._struck is not None:
            self._end_strike(left=True)
        if self._play is not None:
            self._play.left()

    def resumed(self) -> None:
        """The caller reads again."""
        if self._play is not None:
            self._play.resumed()

    def ended(self, play: Play, tokens: int, *, has_left: bool) -> None:
        """Settle and log an answer that is over; its last bytes go out after this."""
        self._play = None
        answer = play.answer
        self.server.world.end(answer, tokens, has_left)
        outcome = "left" if has_left else "answered" if answer.fault is None else "fault"
        record = self._record(answer, outcome)
        record.completion_tokens = tokens
        record.caller_left = has_left
        record.first_token_s = round(play.first_token_s, 6)
        record.duration_s = round(self.server.now_s() - self.arrived_s, 6)
        self._log(record)

    # Answers without tokens.

    def _elsewhere(self, request: Request) -> None:
        """Answer what is no chat completion: the list of models, else 404 with an empty body."""
        if request.method == b"GET" and request.path == MODELS_PATH:
            body = self.server.models_json
            self.write(head(200, JSON_TYPE, len(body), b"") + body)
        else:
            self.write(head(404, b"", 0, b""))
        self.done()

    def _refused(self, found: Refused, ids: bytes) -> None:
        record = self._record(found, "refused")
        record.status, record.code = found.refusal.status, found.refusal.code
        self._log(record)
        self._send_refusal(found.refusal, ids, self.server.settings.retry_after)

    def _send_refusal(self, why: Refusal, ids: bytes, says_when: bool) -> None:
        more = b""
        if says_when and why.retry_after_s is not None:
            real_s = why.retry_after_s / self.server.settings.speed
            more = b"Retry-After: %d\r\n" % max(1, -int(-real_s // 1))
        body = why.body(self.request_id.decode())
        self.write(head(why.status, JSON_TYPE, len(body), ids, more) + body)
        self.done()

    def _strike(self, found: Struck, ids: bytes) -> None:
        """Do a fault that stands in the place of an answer."""
        fault, record = found.fault, self._record(found, "fault")
        if fault.kind == "error":
            why = refusal(
                fault.code, found.state.account.account_id, found.asked_model, status=fault.status
            )
            record.status, record.code = why.status, why.code
            self._log(record)
            timed = Refusal(why.status, why.code, why.message, "", fault.retry_after_s)
            self._send_refusal(timed, ids, says_when=True)
        elif fault.kind == "hang":
            self._struck = record
            self._log(self._record(found, "begun"))
            delay_s = fault.for_s / self.server.settings.speed
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._end_strike)
        else:
            record.status = 302 if fault.kind == "redirect" else 200
            if fault.kind in ("reset_before_headers", "close_before_headers", "bad_head"):
                record.status = 0
            self._log(record)
            self._misbehave(fault, found.is_stream, ids)

    def _end_strike(self, *, left: bool = False) -> None:
        """End a hang: its time is over, or the caller had enough."""
        record, self._struck, self._timer = self._struck, None, None
        assert record is not None, "something hangs"
        record.caller_left = left
        record.duration_s = round(self.server.now_s() - self.arrived_s, 6)
        self._log(record)
        if not left:
            self.close()

    def _misbehave(self, fault: Fault, is_stream: bool, ids: bytes) -> None:
        """Send what a broken server would."""
        kind = STREAM_TYPE if is_stream else JSON_TYPE
        match fault.kind:
            case "reset_before_headers":
                self.abort()
                return
            case "close_before_headers":
                self.close()
            case "reset_after_headers":
                self.write(head(200, kind, None if is_stream else 1_000, ids))
                self.reset()
                return
            case "redirect":
                more = b"Location: %b\r\n" % fault.location.encode()
                self.write(head(fault.status or 302, b"", 0, ids, more))
            case "wrong_content_type":
                page = b"<html><body>Welcome to the hotel's wireless network</body></html>"
                self.write(head(200, b"text/html", len(page), ids) + page)
            case "garbage":
                if is_stream:
                    self.write(head(200, kind, None, ids) + chunk(_GARBAGE) + b"0\r\n\r\n")
                else:
                    self.write(head(200, kind, len(_GARBAGE), ids) + _GARBAGE)
            case "empty":
                self.write(head(200, kind, 0, ids))
            case "huge_header":
                self.write(b"HTTP/1.1 200 OK\r\nX-Huge: %b\r\n\r\n" % (b"x" * fault.size_bytes))
                self.close()
            case _:
                self.write(b"HTTP/3.14 OK 200\r\n\r\n")
                self.close()
        self.done()

    # The log.

    def _record(self, found: Answer | Struck | Refused, outcome: str) -> Record:
        """Return the line of a call, without its end."""
        record = Record(
            at_unix_s=round(time.time(), 6),
            outcome=outcome,
            request_id=self.request_id.decode(),
            client_request_id=self._client_request_id.decode("latin-1"),
            asked_model=found.asked_model,
            stream=found.is_stream,
            arrived_s=round(self.arrived_s, 6),
        )
        if found.state is not None:
            record.account = found.state.account.name
            record.account_id = found.state.account.account_id
        if not isinstance(found, Refused) and found.fault is not None:
            record.fault = found.fault.kind
        if type(found) is Answer:
            record.model = found.model.id
            record.status = 200
            record.prompt_tokens = found.prompt_tokens
            record.cached_tokens = found.cached_tokens
            record.finish = found.finish
            record.echo = found.echo
            if found.fault is not None and found.fault.kind == "error_in_stream":
                record.code = found.fault.code or IN_STREAM_CODE
        return record

    def _log(self, record: Record) -> None:
        self.server.log.write(record)
