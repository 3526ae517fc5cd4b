"""What came of a replay? Counts, the figures made of them, and their JSON."""

import msgspec


class Minute(msgspec.Struct):
    """What was served of the requests that came in one minute."""

    input_tokens: int = 0
    cached_tokens: int = 0


class Result(msgspec.Struct):
    """One rule over one trace."""

    name: str
    header: bool
    calls: int = 0
    failed: int = 0  # no account served it: refused, or out of attempts
    failed_before_first_byte: int = 0  # of these, by a fault rather than a limit
    interrupted: int = 0  # the account died in the middle of the answer
    attempts: int = 0
    provoked_429: int = 0  # counted by the accounts
    waited: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    bound_tokens: int = 0  # of one infinite cache with the same TTL
    ttft_sum_s: float = 0.0
    moved: int = 0  # turns of a linear conversation that were served away from the turn before
    turns: int = 0
    ejections: int = 0
    labels: dict[str, int] = {}
    minutes: dict[int, Minute] = {}
    tokens_by_account: dict[str, int] = {}
    limit_by_account: dict[str, int] = {}
    tokens_by_account_minute: dict[str, dict[int, int]] = {}
    decision_ns: list[int] = []
    wall_s: float = 0.0

    @property
    def hit_share_of_bound(self) -> float:
        """Cached tokens against those one infinite cache would have had."""
        return self.cached_tokens / self.bound_tokens if self.bound_tokens else 0.0

    @property
    def token_max_over_mean(self) -> float:
        """How uneven the whole run was; of parts of limits, where limits differ."""
        loads = list(self.tokens_by_account.values())
        limits = self.limit_by_account
        if len(set(limits.values())) > 1:
            loads_of_limit = [self.tokens_by_account[name] / limits[name] for name in limits]
            mean = sum(loads_of_limit) / len(loads_of_limit)
            return max(loads_of_limit) / mean if mean else 1.0
        mean = sum(loads) / len(loads) if loads else 0.0
        return max(loads) / mean if mean else 1.0

    @property
    def minute_p95_max_over_mean(self) -> float:
        """The same of each minute: the one that 95 of 100 minutes do not pass."""
        by_account = list(self.tokens_by_account_minute.values())
        minutes = sorted({minute for it in by_account for minute in it})
        uneven = []
        for minute in minutes[:-1]:  # the last is not whole
            loads = [it.get(minute, 0) for it in by_account]
            mean = sum(loads) / len(loads)
            uneven.append(max(loads) / mean if mean else 1.0)
        return percentile(uneven, 0.95)

    @property
    def mean_ttft_s(self) -> float:
        """From a request's arrival to its first token, waiting and failed attempts included."""
        served = self.calls - self.failed
        return self.ttft_sum_s / served if served else 0.0

    def figures(self) -> dict[str, object]:
        """Return what `--json` prints of one rule."""
        decisions = [ns / 1000 for ns in self.decision_ns]
        return {
            "name": self.name,
            "header": self.header,
            "hit_share_of_bound": round(self.hit_share_of_bound, 5),
            "hit_share_of_input": round(self.cached_tokens / max(self.input_tokens, 1), 5),
            "token_max_over_mean": round(self.token_max_over_mean, 4),
            "minute_p95_max_over_mean": round(self.minute_p95_max_over_mean, 4),
            "provoked_429": self.provoked_429,
            "failed": self.failed,
            "interrupted": self.interrupted,
            "waited": self.waited,
            "attempts": self.attempts,
            "moved_turns": self.moved,
            "mean_ttft_s": round(self.mean_ttft_s, 4),
            "decision_us_p50": round(percentile(decisions, 0.5), 1),
            "decision_us_p99": round(percentile(decisions, 0.99), 1),
        }


def percentile(values: list[float], part: float) -> float:
    """Return the value that so large a part of the values do not pass; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
