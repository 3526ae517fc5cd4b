"""Do the limits agree with a naive model that keeps every call, whatever happens in which order?"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from arkway.admission.estimate import Estimate
from arkway.admission.limits import Limits
from arkway.model.catalogue import BudgetPeriod, KeyLimits, KeySpec
from arkway.model.errors import GatewayError
from support import strategies  # noqa: F401 - its profile
from support.limits_model import NaiveKey

ROOMY = KeyLimits(10**4, 10**9, None, 10**9, 10**9)

# Every kind of limit is there from the first call on, for what a limit does not know it cannot
# count; numbers that no run reaches stand for a limit that is not set.
key_limits = st.builds(
    KeyLimits,
    requests_per_min=st.sampled_from([1, 3, 8, 10**4]),
    tokens_per_min=st.sampled_from([50, 300, 2000, 10**9]),
    concurrency=st.sampled_from([None, 1, 2, 5]),
    total_tokens=st.sampled_from([10**9, 4000, 1000, 300]),
    budget_nano=st.sampled_from([10**9, 3000, 1000]),
    budget_period=st.sampled_from(list(BudgetPeriod)),
)


@st.composite
def estimates(draw):
    least = draw(st.integers(1, 80))
    likely = least + draw(st.integers(0, 100))
    return Estimate(least, likely, likely + draw(st.integers(0, 200)), draw(st.integers(0, 600)))


class LimitsMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.limits, self.model = Limits(), NaiveKey()
        self.key = KeySpec(b"", "a key", "tenant", id="key_1", limits=ROOMY)
        self.now_s = 5000.0
        # A leap day, one minute before its end and the month's.
        self.unix_s = int(datetime(2024, 2, 29, 23, 59, tzinfo=UTC).timestamp())
        self.open, self.ended = [], []

    @rule(limits=key_limits)
    def change(self, limits):
        self.key = replace(self.key, limits=limits)

    # No step is shorter than a bucket of the token window is long, so it is exact here.
    @rule(quarters=st.integers(1, 300))
    def wait(self, quarters):
        self.now_s += quarters / 4
        self.unix_s += quarters // 4

    @rule(step_s=st.sampled_from([-86_400, -70, -1, 70, 86_400]))
    def set_wall_clock(self, step_s):
        """As an operator does. The periods before the last are the ledger's, not in this test."""
        wanted = self.unix_s + step_s
        if abs(wanted - datetime(2024, 3, 1, tzinfo=UTC).timestamp()) < 86_000:
            self.unix_s = wanted

    @rule(estimate=estimates())
    def ask(self, estimate):
        expected = self.model.expect(self.key.limits, estimate, self.now_s, self.unix_s)
        if expected is not None:
            with pytest.raises(GatewayError) as caught:
                self.limits.reserve(self.key, estimate, self.now_s, self.unix_s)
            assert type(caught.value).__name__ in expected
            self._check_wait(caught.value, estimate, expected)
            return
        taken = self.limits.reserve(self.key, estimate, self.now_s, self.unix_s)
        call = self.model.admit(self.key.limits, estimate, self.now_s, self.unix_s)
        self.open.append((taken, call, estimate))

    def _check_wait(self, refusal, estimate, expected):
        """After the time that was named the call fits; a little before it does not."""
        if refusal.retry_after_s is None or "ConcurrencyLimitExceeded" in expected:
            return
        limits, later_s = self.key.limits, self.now_s + refusal.retry_after_s
        assert self.model.expect(limits, estimate, later_s, self.unix_s) is None
        assert self.model.expect(limits, estimate, later_s - 0.002, self.unix_s) is not None

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 400), nano=st.integers(0, 800))
    def settle(self, data, tokens, nano):
        taken, call, _ = self._one(data)
        self.limits.settle(taken, tokens, nano, self.now_s)
        self.model.end(call, tokens, nano, self.now_s)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data):
        taken, call, _ = self._one(data)
        self.limits.release(taken)
        self.model.end(call, 0, 0, self.now_s)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), settled=st.booleans())
    def end_again(self, data, settled):
        taken = data.draw(st.sampled_from(self.ended))
        if settled:
            self.limits.settle(taken, 1000, 1000, self.now_s)
        else:
            self.limits.release(taken)

    def _one(self, data):
        one = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.ended.append(one[0])
        return one

    @invariant()
    def headers_tell_what_is_used(self):
        text = self.limits.headers(self.key, self.now_s).decode()
        lines = dict(line.split(": ") for line in text.split("\r\n")[:-1])
        requests, tokens = self.key.limits.requests_per_min, self.key.limits.tokens_per_min
        assert lines["x-ratelimit-limit-requests"] == str(requests)
        assert lines["x-ratelimit-limit-tokens"] == str(tokens)
        left = requests - self.model.requests(self.now_s)
        assert lines["x-ratelimit-remaining-requests"] == str(max(0, left))
        left = tokens - self.model.rate(self.now_s)
        assert lines["x-ratelimit-remaining-tokens"] == str(max(0, left))


TestLimits = pytest.mark.slow(LimitsMachine.TestCase)
TestLimits.settings = settings(max_examples=150, stateful_step_count=60)
