"""Does a gateway of this home run, and what does it say of itself? `/status`, asked briefly."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from arkway.cli.output import USAGE, Failure
from arkway.control.process import Server
from arkway.control.reach import dialled

# A running gateway answers in a millisecond; a command that only adds to its table waits no longer.
BRIEF_S = 0.5
MAX_STATUS_BYTES = 4 * 1024 * 1024  # a thousand accounts are some 400 KiB


class NoAnswer(Exception):
    """Nobody answers there, or not as a gateway does; `is_refused`: nobody listens."""

    def __init__(self, reason: str, *, is_refused: bool = False) -> None:
        super().__init__(reason)
        self.is_refused = is_refused


@dataclass(frozen=True, slots=True)
class OpsPort:
    """The operators' port of a gateway."""

    host: str
    port: int
    is_tls: bool = False  # behind a proxy of the operator's

    @property
    def url(self) -> str:
        """Return its address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


def ops_port_of(server: Server) -> OpsPort:
    """Return where a gateway with this configuration tells its health, seen from here."""
    return OpsPort(dialled(server.ops_host), server.ops_port)


def ops_port_at(url: str) -> OpsPort:
    """Return the port that an address names; a path in it is left out.

    Errors:  Failure when it is no address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise Failure(f"--url {url} is not an http:// or https:// address", status=USAGE)
    is_tls = parts.scheme == "https"
    return OpsPort(host, port or (443 if is_tls else 80), is_tls)


def ask_status(at: OpsPort, within_s: float) -> dict[str, Any]:
    """Return the document of `/status`.

    Units:   within_s: for connecting, and for each piece of the answer.
    Errors:  NoAnswer.
    """
    kind = http.client.HTTPSConnection if at.is_tls else http.client.HTTPConnection
    try:
        with closing(kind(at.host, at.port, timeout=within_s)) as wire:
            wire.request("GET", "/status")
            with wire.getresponse() as answer:
                body = answer.read(MAX_STATUS_BYTES)
            found = json.loads(body) if answer.status == http.client.OK else None
    except ConnectionRefusedError:
        raise NoAnswer("nobody listens there", is_refused=True) from None
    except TimeoutError:
        raise NoAnswer(f"no answer within {within_s:g} s") from None
    except OSError as error:
        raise NoAnswer(error.strerror or str(error)) from None
    except (http.client.HTTPException, ValueError):
        raise NoAnswer("what answers there is no gateway") from None
    if not isinstance(found, dict) or "calls_in_flight" not in found:
        raise NoAnswer("what answers there is no gateway")
    return found


def is_of(status: dict[str, Any], home: Path) -> bool:
    """Return whether the gateway that said this serves `home`."""
    return status.get("home") == str(home.resolve())


def accounts_now(server: Server, home: Path) -> dict[str, dict[str, Any]]:
    """Return how the gateway of `home` finds each of its accounts; empty when none answers."""
    try:
        status = ask_status(ops_port_of(server), BRIEF_S)
    except NoAnswer:
        return {}
    if not is_of(status, home):
        return {}
    return {each["account"]: each for each in status["accounts"]}


def why_out(account: Mapping[str, Any]) -> str:
    """Return why an account is out, and when it comes back; empty: it is not."""
    reason, back_s = account["reason"], account["returns_in_s"]
    if account["state"] == "broken":
        return f"{reason}; until it is edited, or answers a test"
    return f"{reason}; back in {back_s:.0f} s" if reason and back_s is not None else reason


def share(part: float | None) -> str:
    """Return a share for people; `-` where there is none."""
    return "-" if part is None else f"{part:.0%}"
