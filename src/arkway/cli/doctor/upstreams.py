"""Can each account be reached? Names resolved, connected, certificates checked; nothing is sent."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from arkway.cli.doctor.finding import Finding, ok, problem, warning

WITHIN_S = 3.0  # resolving, connecting and the handshake together
# Threads at once; a pool of hundreds of accounts has few origins, usually one.
AT_ONCE = 64
SOON_DAYS = 14
_DAY_S = 86_400.0
_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where accounts are, and what vouches for it."""

    host: str
    port: int
    is_tls: bool
    ca_file: str | None


class Reached(msgspec.Struct):
    """How far one probe came."""

    step: str = "resolving its name"  # what is under way
    took_s: float = 0.0
    failure: str = ""
    is_untrusted: bool = False  # the failure is its certificate
    ends_unix_s: float | None = None  # of its certificate
    is_done: bool = False


def origin(base_url: str, ca_file: str | None) -> Origin:
    """Return the origin of an account."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS[parts.scheme]
    return Origin(parts.hostname or "", port, parts.scheme == "https", ca_file)


def reach(origins: Iterable[Origin], within_s: float = WITHIN_S) -> dict[Origin, Reached]:
    """Connect to each, side by side; return how far each came within its time.

    A name server that does not answer cannot be interrupted: its thread is left behind (daemon).
    Cost:    `within_s` for each AT_ONCE of them.
    """
    left = list(dict.fromkeys(origins))
    found: dict[Origin, Reached] = {}
    while left:
        batch, left = left[:AT_ONCE], left[AT_ONCE:]
        probes = {each: Reached() for each in batch}
        deadline_s = time.monotonic() + within_s
        threads = [
            threading.Thread(target=_probe, args=(at, probe, deadline_s), daemon=True)
            for at, probe in probes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        # A copy: what is left behind must not change what was found.
        found |= {at: msgspec.structs.replace(probe) for at, probe in probes.items()}
    return found


def _probe(at: Origin, probe: Reached, deadline_s: float) -> None:
    """Take the steps of one probe, and write down how far it came."""
    began_s = time.monotonic()

    def left_s() -> float:
        return max(0.01, deadline_s - time.monotonic())

    try:
        context = _context(at.ca_file) if at.is_tls else None
        addresses = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
        probe.step = "connecting"
        with _connected(addresses, left_s) as plain:
            if context is not None:
                probe.step = "the TLS handshake"
                plain.settimeout(left_s())
                with context.wrap_socket(plain, server_hostname=at.host) as wire:
                    ends = (wire.getpeercert() or {}).get("notAfter")
                    probe.ends_unix_s = ssl.cert_time_to_seconds(str(ends)) if ends else None
    except TimeoutError:
        return  # `step` says where
    except ssl.SSLCertVerificationError as error:
        probe.failure, probe.is_untrusted = error.verify_message, True
    except (OSError, UnicodeError, ValueError) as error:
        probe.failure = getattr(error, "strerror", None) or str(error)
    probe.took_s = time.monotonic() - began_s
    probe.is_done = True


def _connected(addresses: Iterable[tuple], left_s: Callable[[], float]) -> socket.socket:  # type: ignore[type-arg]
    """Return a connection to the first address that takes one."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(left_s())
            wire.connect(address)
        except OSError as error:
            wire.close()
            failure = error
        else:
            return wire
    raise failure or OSError("it has no address")


def _context(ca_file: str | None) -> ssl.SSLContext:
    """Return what the gateway itself trusts."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def judge(
    accounts: Iterable[tuple[str, Origin]], found: dict[Origin, Reached], now_s: float
) -> Iterator[Finding]:
    """Yield whether each account can be reached."""
    for name, at in accounts:
        reached = found[at]
        check, where = f"account {name}", f"{at.host}:{at.port}"
        if not reached.is_done:
            text = f"{where}: {reached.step} took longer than {WITHIN_S:g} s"
            yield problem(check, text, _way(reached.step, at))
        elif reached.is_untrusted:
            yield problem(
                check,
                f"{where}: its certificate is not trusted: {reached.failure}",
                f"is this the right host? Its own authority: `arkway accounts edit {name} "
                "--ca-file PEM`; and look at this machine's clock",
            )
        elif reached.failure:
            text = f"{where}: {reached.step} failed: {reached.failure}"
            yield problem(check, text, _way(reached.step, at))
        else:
            yield _well(check, where, at, reached, now_s)


def _well(check: str, where: str, at: Origin, reached: Reached, now_s: float) -> Finding:
    text = f"{where} answers in {reached.took_s * 1000:.0f} ms"
    if not at.is_tls:
        return ok(check, text)
    if reached.ends_unix_s is not None:
        days = (reached.ends_unix_s - now_s) / _DAY_S
        if days < SOON_DAYS:
            text += f"; its certificate ends in {days:.0f} days"
            return warning(check, text, "whoever runs it has to renew it")
    return ok(check, f"{text}, its certificate is trusted")


def _way(step: str, at: Origin) -> str:
    """Return what to look at."""
    if "name" in step:
        return f"is base_url right? Name servers of this machine: `getent hosts {at.host}`"
    if step == "connecting":
        return "is base_url right? Does a firewall let this machine out? Does the server run?"
    return f"does it speak TLS? `openssl s_client -connect {at.host}:{at.port}`"
