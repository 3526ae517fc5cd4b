"""How does the terminal ask a gateway? One streamed chat completion over `http.client`."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from arkway.cli.output import USAGE, Failure

_CONNECT_S = 10.0
_SILENCE_S = 900.0  # the gateway's own `upstream.total_s`: it gives up before we do
_MAX_LINE_BYTES = 4 * 1024 * 1024  # one event is one line; the gateway's are far shorter
_MAX_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A gateway's address and the key it is asked with."""

    url: str  # http(s)://host[:port][/path]; without a path, /v1 is meant
    key: str

    def connect(self) -> http.client.HTTPConnection:
        """Return an unopened connection.

        Errors:  Failure when the URL is not one.
        """
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https"):
            raise Failure(f"--url {self.url} is not an http:// or https:// address", status=USAGE)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=_CONNECT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=_CONNECT_S)

    @property
    def path(self) -> str:
        """Return the path of the chat completions."""
        return (urlsplit(self.url).path.rstrip("/") or "/v1") + "/chat/completions"


@dataclass(slots=True)
class Answer:
    """What came back."""

    content: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None


class _ReaderGone(Exception):
    """Who read the text has gone, as `| head` does: no fault of the gateway's connection."""


def ask(
    endpoint: Endpoint,
    model: str,
    messages: list[dict[str, str]],
    conversation_id: str,
    on_text: Callable[[str], None],
) -> Answer:
    """Return the answer to `messages`, each piece given to `on_text` as it comes.

    Errors:  Failure when the gateway cannot be reached, refuses, or breaks off.
    """
    body = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {
        "Authorization": f"Bearer {endpoint.key}",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "X-Conversation-Id": conversation_id,
    }
    connection = endpoint.connect()
    try:
        connection.connect()
        connection.sock.settimeout(_SILENCE_S)
        connection.request("POST", endpoint.path, json.dumps(body).encode(), headers)
        return _read(connection.getresponse(), on_text)
    except _ReaderGone:
        raise BrokenPipeError from None
    except TimeoutError:
        raise Failure(f"{endpoint.url} does not answer") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(f"cannot reach {endpoint.url}: {reason} (does `arkway serve` run?)") from None
    except (http.client.HTTPException, ValueError) as error:
        raise Failure(f"{endpoint.url} sent no valid answer: {type(error).__name__}") from None
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, on_text: Callable[[str], None]) -> Answer:
    answer = Answer(request_id=response.headers.get("x-request-id"))
    if response.status != http.client.OK:
        raise _refusal(response.status, response.read(_MAX_ERROR_BYTES))
    for payload in _events(response):
        if payload == b"[DONE]":
            return answer
        _take(answer, json.loads(payload), on_text)
    raise Failure("the answer broke off")


def _events(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the payloads of a stream whose every event is one `data:` line."""
    while line := response.readline(_MAX_LINE_BYTES):
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _take(answer: Answer, chunk: dict[str, Any], on_text: Callable[[str], None]) -> None:
    if "error" in chunk:
        raise Failure(f"the answer broke off: {_message(chunk)}")
    answer.usage = chunk.get("usage") or answer.usage
    for choice in chunk.get("choices", ()):
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        text = choice.get("delta", {}).get("content") or ""
        if text:
            answer.content += text
            try:
                on_text(text)
            except BrokenPipeError:
                raise _ReaderGone from None


def _refusal(status: int, body: bytes) -> Failure:
    try:
        return Failure(f"the gateway refused ({status}): {_message(json.loads(body))}")
    except (ValueError, TypeError, KeyError):
        return Failure(f"the server answered with status {status}")


def _message(envelope: dict[str, Any]) -> str:
    error = envelope["error"]
    return f"{error['message']} [{error.get('code')}]"
