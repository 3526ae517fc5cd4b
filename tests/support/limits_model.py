"""What should the limits of a key do? A naive model: it keeps every call and adds up each time."""

from dataclasses import dataclass
from datetime import UTC, datetime

from arkway.model.catalogue import BudgetPeriod

WINDOW_S = 60.0


@dataclass(eq=False)
class NaiveCall:
    admitted_s: float
    admitted_unix_s: int
    likely: int  # tokens that the rate holds or counts
    most_tokens: int  # tokens that the token limit holds or counts
    nano: int
    is_open: bool = True


class NaiveKey:
    """One key's calls, all of them, for ever."""

    def __init__(self):
        self.calls = []
        self.overruns = []  # (when it was known, tokens beyond the hold)

    def expect(self, limits, estimate, now_s, unix_s):
        """Return the name of the refusal that is due, or None."""
        spent, held = self._tokens(is_open=False), self._tokens(is_open=True)
        busy = False
        if limits.total_tokens is not None:
            if spent + estimate.most_tokens > limits.total_tokens:
                return "InsufficientQuota"
            busy = spent + held + estimate.most_tokens > limits.total_tokens
        if limits.budget_nano is not None:
            spent, held = self.money(limits.budget_period, unix_s)
            if spent + estimate.most_nano > limits.budget_nano:
                return "InsufficientQuota"
            busy = busy or spent + held + estimate.most_nano > limits.budget_nano
        if busy:
            return "ConcurrencyLimitExceeded"
        return self._expect_rates(limits, estimate, now_s)

    def _expect_rates(self, limits, estimate, now_s):
        due = []
        if limits.tokens_per_min is not None:
            if estimate.least_tokens > limits.tokens_per_min:
                return "CallOverTokenRate"
            wanted = min(estimate.likely_tokens, limits.tokens_per_min)
            if self.rate(now_s) + wanted > limits.tokens_per_min:
                due.append("TokenRateLimitExceeded")
        if limits.requests_per_min is not None and (
            self.requests(now_s) + 1 > limits.requests_per_min
        ):
            due.append("RateLimitExceeded")
        if limits.concurrency is not None and self.in_flight() >= limits.concurrency:
            due.append("ConcurrencyLimitExceeded")
        return due or None

    def admit(self, limits, estimate, now_s, unix_s):
        likely = estimate.likely_tokens
        if limits.tokens_per_min is not None:
            likely = min(likely, limits.tokens_per_min)
        call = NaiveCall(now_s, unix_s, likely, estimate.most_tokens, estimate.most_nano)
        self.calls.append(call)
        return call

    def end(self, call, used_tokens, cost_nano, now_s):
        if call.is_open:
            call.is_open = False
            if used_tokens > call.likely:
                self.overruns.append((now_s, used_tokens - call.likely))
            call.likely = min(call.likely, used_tokens)
            call.most_tokens, call.nano = used_tokens, cost_nano

    def in_flight(self):
        return sum(call.is_open for call in self.calls)

    def requests(self, now_s):
        return sum(call.admitted_s > now_s - WINDOW_S for call in self.calls)

    def rate(self, now_s):
        calls = sum(c.likely for c in self.calls if c.admitted_s > now_s - WINDOW_S)
        return calls + sum(tokens for s, tokens in self.overruns if s > now_s - WINDOW_S)

    def money(self, period, unix_s):
        """Return (spent, held) of the period that `unix_s` lies in."""
        mine = [c for c in self.calls if _key(period, c.admitted_unix_s) == _key(period, unix_s)]
        return tuple(sum(c.nano for c in mine if c.is_open == wanted) for wanted in (False, True))

    def _tokens(self, *, is_open):
        return sum(call.most_tokens for call in self.calls if call.is_open == is_open)


def _key(period, unix_s):
    moment = datetime.fromtimestamp(unix_s, UTC)
    if period is BudgetPeriod.DAY:
        return moment.date()
    return (moment.year, moment.month) if period is BudgetPeriod.MONTH else None
