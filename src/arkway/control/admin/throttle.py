"""Has this address failed to log in too often? Counts in memory, bounded. Pure.

A token has 285 random bits, so this is no wall against guessing: it keeps a loop that guesses from
costing anything. An IPv6 address counts with its /64, which is what one person gets.
"""

import ipaddress
import math
from collections import OrderedDict

FAILURES = 5  # in WINDOW_S, from one address
ALL_FAILURES = 100  # in WINDOW_S, from all of them
WINDOW_S = 60.0
MAX_ADDRESSES = 4096


class LoginThrottle:
    """Counts failures by address in windows of a minute."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._all: tuple[float, int] = (-math.inf, 0)

    def wait_s(self, address: str, now_s: float) -> int:
        """Return how long this address has to wait before it may try; 0: it may."""
        began_s, count = self._failed.get(_group(address), (-math.inf, 0))
        all_s, all_count = self._all
        until_s = max(
            began_s + WINDOW_S if count >= FAILURES else -math.inf,
            all_s + WINDOW_S if all_count >= ALL_FAILURES else -math.inf,
        )
        return max(0, math.ceil(until_s - now_s)) if until_s > -math.inf else 0

    def on_failure(self, address: str, now_s: float) -> None:
        """Count one failure."""
        group = _group(address)
        self._failed[group] = _counted(self._failed.get(group, (-math.inf, 0)), now_s)
        self._failed.move_to_end(group)
        if len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)
        self._all = _counted(self._all, now_s)

    def on_success(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failed.pop(_group(address), None)

    def __len__(self) -> int:
        return len(self._failed)


def _counted(window: tuple[float, int], now_s: float) -> tuple[float, int]:
    began_s, count = window
    return (began_s, count + 1) if now_s < began_s + WINDOW_S else (now_s, 1)


def _group(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), 64), strict=False))
