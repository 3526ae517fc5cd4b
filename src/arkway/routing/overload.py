"""Is the compute pool behind all accounts overloaded? Then no account is worth a try for a while.

The upstream says so with codes of their own: every account would say the same, and none is to
blame. All calls of the model wait; each overload in a row doubles the wait.
"""

import msgspec

from arkway.routing.policy import RoutingPolicy


class _Overload(msgspec.Struct):
    until_s: float
    length_s: float


class Overloads:
    """Models whose compute pool is overloaded; bounded by the models ever configured."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self._by_model: dict[str, _Overload] = {}
        self.count = 0  # for metrics

    def __len__(self) -> int:
        return len(self._by_model)

    def until_s(self, model: str, now_s: float) -> float:
        """Return until when no call of `model` should be sent; in the past: they may."""
        overload = self._by_model.get(model)
        return now_s if overload is None else overload.until_s

    def on_overload(
        self, model: str, retry_after_s: float | None, now_s: float, jitter: float
    ) -> float:
        """An account said so; return for how long calls wait. Unit: s.

        Of many that say so at once, sent before the first said it, one counts.
        """
        policy = self._policy
        overload = self._by_model.get(model)
        if overload is not None and now_s < overload.until_s:
            return overload.until_s - now_s
        self.count += 1
        length_s = policy.overload_backoff_s if overload is None else overload.length_s * 2
        length_s = min(length_s, policy.max_overload_backoff_s)
        stated_s = min(retry_after_s or 0.0, policy.max_overload_backoff_s)
        wait_s = max(length_s * (1 - 0.2 * jitter), stated_s)
        self._by_model[model] = _Overload(now_s + wait_s, length_s)
        return wait_s

    def on_success(self, model: str) -> None:
        """A call of the model was answered: it is over."""
        self._by_model.pop(model, None)
