"""Is an account out for now? Passive health of one account, with an injected clock."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class OutlierPolicy:
    """When an account is ejected, and for how long (unit: s).

    Source: Envoy "Outlier detection": 5 failures in a row, 30 s times the number of ejections.
    """

    consecutive_failures: int = 5
    base_ejection_s: float = 30.0
    max_ejection_s: float = 300.0


class OutlierDetector:
    """Passive health of one account.

    The n-th ejection in a row lasts min(n * base, max); a success between starts over.
    """

    __slots__ = ("_ejected_until_s", "_ejections", "_failures_in_a_row", "_policy")

    def __init__(self, policy: OutlierPolicy) -> None:
        self._policy = policy
        self._failures_in_a_row = 0
        self._ejections = 0
        self._ejected_until_s = -inf

    def is_ejected(self, now_s: float) -> bool:
        """Whether the account should not be asked now."""
        return now_s < self._ejected_until_s

    def on_success(self) -> None:
        """Forget past failures."""
        self._failures_in_a_row = 0
        self._ejections = 0
        self._ejected_until_s = -inf

    def on_failure(self, now_s: float) -> float | None:
        """Return the length of the ejection this failure caused, or None. Unit: s."""
        if self.is_ejected(now_s):
            return None  # a late answer of a call sent before the ejection
        self._failures_in_a_row += 1
        if self._failures_in_a_row < self._policy.consecutive_failures:
            return None
        # One failure after the ejection ends it is enough for the next.
        self._failures_in_a_row = self._policy.consecutive_failures - 1
        return self.eject(now_s)

    def eject(self, now_s: float) -> float:
        """Eject at once; return for how long. Unit: s. While ejected, nothing is added."""
        if self.is_ejected(now_s):
            return self._ejected_until_s - now_s
        self._ejections += 1
        policy = self._policy
        length_s = min(self._ejections * policy.base_ejection_s, policy.max_ejection_s)
        self._ejected_until_s = now_s + length_s
        return length_s
