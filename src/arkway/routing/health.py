"""Is an account out, and until when? Passive health by error class, with an injected clock.

    OK --failures in a row, or a share of many--> EJECTED --its time is over--> one PROBE at a time
    OK or EJECTED --a broken account--> BROKEN --an operator's edit, or the stated reset--> PROBE
    PROBE --success--> OK, slowly; PROBE --failure--> EJECTED, longer

The same machine serves an account and one model of an account. What a call says that was sent
before the last change of state is old news, and changes nothing.
Source: Envoy "Outlier detection" and "Slow start".
"""

from enum import StrEnum
from math import inf

from arkway.routing.policy import RoutingPolicy


class State(StrEnum):
    """What operators see."""

    OK = "ok"
    EJECTED = "ejected"  # comes back by itself
    BROKEN = "broken"  # an operator has to act, or a stated reset to pass
    SLOW_START = "slow_start"


class May(StrEnum):
    """What a call may do now."""

    GO = "go"
    PROBE = "probe"  # as the one call that tries it again
    NOT = "not"


_GO, _PROBE, _NOT = May.GO, May.PROBE, May.NOT


class Health:
    """Passive health of an account, or of one model of it."""

    __slots__ = (
        "_calls",
        "_failures",
        "_in_a_row",
        "_length_s",
        "_policy",
        "_probes",
        "_turns_s",
        "ejections",
        "is_broken",
        "is_out",
        "is_plain",
        "reason",
        "returned_s",
        "since_s",
        "until_s",
    )

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self.is_plain = True  # in its usual state: nothing else need be asked
        self.is_out = False  # ejected or broken
        self.is_broken = False
        self.since_s = -inf  # when it came into this state
        self.until_s = -inf  # out until then; inf: until an operator acts
        self.returned_s = -inf
        self.reason = ""
        self.ejections = 0
        self._length_s = 0.0
        self._probes = 0
        self._in_a_row = 0
        self._turns_s = -inf  # when this half of the window ends
        self._calls = [0, 0]  # in this half of the window, and in the last
        self._failures = [0, 0]

    def state(self, now_s: float) -> State:
        """Return what operators see."""
        if self.is_out:
            return State.BROKEN if self.is_broken else State.EJECTED
        return State.SLOW_START if self.share(now_s) < 1.0 else State.OK

    def may(self, now_s: float, is_low_value: bool) -> May:
        """Return whether a call may be sent.

        For a moment after its time is over, a probe waits for a call of low value.
        """
        if not self.is_out:
            return _GO
        if now_s < self.until_s or self._probes:
            return _NOT
        patience_s = self._policy.probe_patience * self._length_s
        return _PROBE if is_low_value or now_s >= self.until_s + patience_s else _NOT

    def share(self, now_s: float) -> float:
        """Return how much of its usual share it should get: less than 1 in its slow start."""
        if self.is_plain:
            return 1.0
        slow_s = self._policy.slow_start_s
        if self.is_out or not slow_s:
            return 1.0
        share = (now_s - self.returned_s) / slow_s
        if share >= 1.0:
            self.is_plain = True
            return 1.0
        return share if share > 0.1 else 0.1

    def begin_probe(self) -> None:
        """A probe is under way; until it ends there is no other."""
        self._probes += 1

    def end_probe(self) -> None:
        """The probe has ended; call it before what it says."""
        self._probes -= 1
        assert self._probes >= 0, "a probe ended twice"

    def on_success(self, began_s: float, now_s: float) -> None:
        """A call that began at `began_s` was answered."""
        self._in_a_row = 0
        if now_s >= self._turns_s:
            self._turn(now_s)
        self._calls[0] += 1
        if self.is_out and began_s >= self.since_s:
            self._come_back(now_s)
        elif self.ejections and now_s - self.returned_s > self._policy.max_ejection_s:
            self.ejections = 0

    def on_failure(self, began_s: float, now_s: float, reason: str, jitter: float) -> float | None:
        """A call failed in a way that may pass; return the ejection it caused, or None. Unit: s.

        Shapes:  jitter: 0 to 1, drawn by the caller.
        """
        if began_s < self.since_s:
            return None  # sent before it was ejected or came back
        if self.is_out:
            return None if now_s < self.until_s else self.eject(now_s, reason, jitter)
        if now_s >= self._turns_s:
            self._turn(now_s)
        self._in_a_row += 1
        self._calls[0] += 1
        self._failures[0] += 1
        policy, calls = self._policy, sum(self._calls)
        if self._in_a_row >= policy.failures_in_a_row or (
            calls >= policy.failure_window_calls
            and sum(self._failures) > policy.failure_share * calls
        ):
            return self.eject(now_s, reason, jitter)
        return None

    def on_broken(self, now_s: float, reason: str, reset_s: float | None) -> float:
        """It cannot serve; return for how long: to the stated reset, else inf. Unit: s."""
        self._out(now_s, now_s + reset_s if reset_s is not None else inf, reason)
        self.is_broken = True
        return reset_s if reset_s is not None else inf

    def eject(self, now_s: float, reason: str, jitter: float) -> float:
        """Put it out at once, for a while; return for how long. Unit: s."""
        policy = self._policy
        self.ejections += 1
        length_s = min(self.ejections * policy.ejection_s, policy.max_ejection_s)
        length_s *= 1 - 0.1 * jitter  # never longer than stated
        self._out(now_s, now_s + length_s, reason)
        return length_s

    def on_operator(self, now_s: float) -> None:
        """An operator edited the account: what was wrong may be right now."""
        if self.is_out:
            self._come_back(now_s)
            self.ejections = 0

    def _out(self, now_s: float, until_s: float, reason: str) -> None:
        self.is_plain, self.is_out, self.is_broken = False, True, False
        self.since_s, self.until_s, self.reason = now_s, until_s, reason
        self._length_s = until_s - now_s if until_s < inf else 0.0
        self._in_a_row = 0

    def _come_back(self, now_s: float) -> None:
        self.is_out = self.is_broken = False
        self.since_s = self.returned_s = now_s
        self.until_s, self.reason = -inf, ""
        self._in_a_row = 0
        self._calls, self._failures = [0, 0], [0, 0]

    def _turn(self, now_s: float) -> None:
        """Let go of what is older than the window: its older half at a time."""
        half_s = self._policy.failure_window_s / 2
        keeps = now_s < self._turns_s + half_s
        self._calls = [0, self._calls[0] if keeps else 0]
        self._failures = [0, self._failures[0] if keeps else 0]
        self._turns_s = now_s + half_s
