"""What happens, event by event? One rule over one trace, in simulated time."""

import heapq
import time
from collections.abc import Callable
from math import inf

from arkway.routing.policy import RoutingPolicy
from arkway.simulate.trace.elastic import Elastic
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.result import Minute, Result
from arkway.simulate.trace.rows import Trace
from arkway.simulate.trace.rules import BLIND, ELASTIC, REFUSED, WAITS, Rule, SimCall
from arkway.simulate.trace.upstream import Cache, SimAccount, cached_tokens

_ARRIVE, _FIRST, _END, _WAKE, _KILL, _REVIVE, _ADD, _LOSE = range(8)
_PROGRESS_EVERY = 256  # arrivals


def bound(trace: Trace, plan: Plan) -> int:
    """Return the prompt tokens that one infinite cache with the plan's TTL would have had."""
    cache, total = Cache(plan.ttl_s), 0
    timing = plan.timing
    for row in trace.rows:
        matched = cache.match(row.blocks, row.at_s)
        cached = cached_tokens(matched, trace.block_tokens, row.input_tokens)
        total += cached
        ttft_s = timing.base_s + (row.input_tokens - cached) / timing.prefill_tokens_per_s
        cache.write(row.blocks, row.at_s + ttft_s, row.at_s)
    return total


def replay(
    trace: Trace,
    plan: Plan,
    name: str = ELASTIC,
    policy: RoutingPolicy | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Result:
    """Return what came of the trace under one rule. Deterministic but for the decision times."""
    return _Replay(trace, plan, name, policy or RoutingPolicy(), on_progress).run()


class _Replay:
    def __init__(
        self,
        trace: Trace,
        plan: Plan,
        name: str,
        policy: RoutingPolicy,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.trace, self.plan, self.on_progress = trace, plan, on_progress
        limits = plan.limits_of(trace)
        self.accounts = [
            SimAccount(f"account-{at}", it, plan.timing, plan.ttl_s) for at, it in enumerate(limits)
        ]
        self.elastic = Elastic(trace, plan, policy) if name == ELASTIC else None
        self.rule: Rule = self.elastic or BLIND[name](plan)
        if not plan.has_header and hasattr(self.rule, "has_header"):
            self.rule.has_header = False
        self.result = Result(name, plan.has_header)
        self.events: list[tuple[float, int, int, object]] = []
        self.sequence = 0
        self.open: dict[int, dict[int, SimCall]] = {}  # by account, by call
        self.last_account: dict[str, int] = {}  # by conversation
        self.decision_ns: list[int] = []
        self.wake_due_s = inf

    def at(self, at_s: float, kind: int, what: object = None) -> None:
        """Schedule an event; those of one moment happen in the order they were scheduled."""
        self.sequence += 1
        heapq.heappush(self.events, (at_s, self.sequence, kind, what))

    def run(self) -> Result:
        """Play every event."""
        begin_s = time.perf_counter()
        plan, result = self.plan, self.result
        for kind, at_s in (
            (_KILL, plan.kill_account_at_s),
            (_REVIVE, plan.revive_account_at_s),
            (_ADD, plan.add_account_at_s),
            (_LOSE, plan.lose_shared_at_s),
        ):
            if at_s is not None:
                self.at(at_s, kind)
        rows = self.trace.rows
        self.at(rows[0].at_s, _ARRIVE, 0)
        while self.events:
            now_s, _, kind, what = heapq.heappop(self.events)
            if self.elastic is not None and plan.nodes > 1:
                self.elastic.share(now_s, plan.lag_s)
            self._play(kind, what, now_s)
            self._wake_later()
        self._finish(time.perf_counter() - begin_s)
        return result

    def _play(self, kind: int, what: object, now_s: float) -> None:
        if kind == _ARRIVE:
            assert isinstance(what, int), "an arrival has a number"
            self._arrive(what, now_s)
        elif kind == _WAKE:
            if now_s == self.wake_due_s:  # else one that was due earlier has taken its place
                self.wake_due_s = inf
                self._wake(now_s)
        elif kind in (_FIRST, _END):
            assert isinstance(what, tuple), "an answer's event has its call and attempt"
            call, attempt_id = what
            if call.attempt_id == attempt_id:
                (self._first if kind == _FIRST else self._end)(call, now_s)
        elif kind == _LOSE:
            if self.elastic is not None:
                self.elastic.lose_shared(now_s)
        else:
            self._change(kind, now_s)

    def _arrive(self, number: int, now_s: float) -> None:
        rows = self.trace.rows
        row = rows[number]
        if number + 1 < len(rows):
            self.at(rows[number + 1].at_s, _ARRIVE, number + 1)
        self.result.calls += 1
        self.result.input_tokens += row.input_tokens
        if self.on_progress is not None and number % _PROGRESS_EVERY == 0:
            self.on_progress(number)
        self._try(SimCall(row, number, []), now_s)

    def _try(self, call: SimCall, now_s: float) -> None:
        """Route a call until an attempt is under way, it waits, or it has failed."""
        while True:
            if call.attempts and not self.rule.may_try_again(call, now_s):
                self._failed(call)
                return
            begin_ns = time.perf_counter_ns()
            account = self.rule.route(call, now_s)
            self.decision_ns.append(time.perf_counter_ns() - begin_ns)
            if account == WAITS:
                if not call.waited:
                    self.result.waited += 1
                call.waited = True
                return
            if account == REFUSED:
                self._failed(call)
                return
            if self._send(call, account, now_s):
                return

    def _send(self, call: SimCall, number: int, now_s: float) -> bool:
        """Send an attempt; False: the account refused it at once."""
        account, row = self.accounts[number], call.row
        call.attempts += 1
        call.attempt_id += 1
        call.account, call.began_s = number, now_s
        self.result.attempts += 1
        code = "dead"
        if not account.is_dead:
            code = account.refuses(row.input_tokens + row.output_tokens, now_s)
        if code:
            self.rule.on_fail(call, code, now_s)
            call.tried.append(number)
            return False
        matched = account.cache.match(row.blocks, now_s)
        call.cached = cached_tokens(matched, self.trace.block_tokens, row.input_tokens)
        call.first_s = now_s + account.ttft_s(row.input_tokens - call.cached)
        account.cache.write(row.blocks, call.first_s, now_s)
        account.in_flight += 1
        self.open.setdefault(number, {})[call.number] = call
        self.at(call.first_s, _FIRST, (call, call.attempt_id))
        end_s = call.first_s + account.decode_s(row.output_tokens)
        self.at(end_s, _END, (call, call.attempt_id))
        return True

    def _first(self, call: SimCall, now_s: float) -> None:
        call.has_answered = True
        self.rule.on_first_token(call, now_s)
        result, row = self.result, call.row
        result.ttft_sum_s += now_s - row.at_s
        result.cached_tokens += call.cached
        minute = result.minutes.setdefault(int(row.at_s // 60), Minute())
        minute.input_tokens += row.input_tokens
        minute.cached_tokens += call.cached
        if row.conversation:
            before = self.last_account.get(row.conversation)
            if before is not None:
                result.turns += 1
                result.moved += before != call.account
            self.last_account[row.conversation] = call.account

    def _end(self, call: SimCall, now_s: float) -> None:
        self._close(call)
        self.rule.on_end(call, now_s)
        self._wake(now_s)

    def _close(self, call: SimCall) -> None:
        self.accounts[call.account].in_flight -= 1
        del self.open[call.account][call.number]

    def _failed(self, call: SimCall) -> None:
        self.result.failed += 1
        if any(self.accounts[number].is_dead for number in call.tried):
            self.result.failed_before_first_byte += 1

    def _wake(self, now_s: float) -> None:
        for call, account in self.rule.wake(now_s):
            if account == REFUSED:
                self._failed(call)
            elif not self._send(call, account, now_s):
                self._try(call, now_s)

    def _wake_later(self) -> None:
        due_s = self.rule.wake_at_s
        if due_s < self.wake_due_s:
            self.wake_due_s = due_s
            self.at(due_s, _WAKE)

    def _change(self, kind: int, now_s: float) -> None:
        """An account dies, comes back or is added."""
        if kind == _ADD:
            limits = self.accounts[0].limits
            name = f"account-{len(self.accounts)}"
            self.accounts.append(SimAccount(name, limits, self.plan.timing, self.plan.ttl_s))
        else:
            self.accounts[0].is_dead = kind == _KILL
        if kind == _REVIVE:
            self.accounts[0].cache = Cache(self.plan.ttl_s)  # it came back empty
        self.rule.on_accounts(list(range(len(self.accounts))), now_s)
        if kind != _KILL:
            return
        for call in list(self.open.get(0, {}).values()):
            self._close(call)
            call.attempt_id += 1  # what was to come of it will not
            self.rule.on_fail(call, "cut", now_s)
            if call.has_answered:
                self.result.interrupted += 1
            else:
                call.tried.append(0)
                self._try(call, now_s)

    def _finish(self, wall_s: float) -> None:
        result = self.result
        for account in self.accounts:
            result.provoked_429 += account.refused
            result.tokens_by_account[account.name] = account.tokens
            result.tokens_by_account_minute[account.name] = account.tokens_by_minute
            if account.limits.tokens_per_min is not None:
                result.limit_by_account[account.name] = account.limits.tokens_per_min
        result.decision_ns = self.decision_ns
        if self.elastic is not None:
            result.ejections = self.elastic.ejections
            result.labels = self.elastic.labels
            result.decision_ns = self.elastic.decision_ns
        result.bound_tokens = bound(self.trace, self.plan)
        result.wall_s = wall_s
