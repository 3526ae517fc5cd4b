"""Who is next? Calls that wait, fair between tenants: deficit round robin.

A tenant's calls are first come, first served. Tenants take turns; a turn is worth so many tokens,
and what a tenant's next call needs beyond that it saves up for: long prompts wait longer, and no
tenant gets ahead by sending more.
Source: Shreedhar and Varghese, 1996.
"""

from collections import deque
from collections.abc import Iterator

from arkway.model.ids import TenantId
from arkway.routing.ask import Ask
from arkway.routing.lease import Wait


class FairQueue:
    """Waiting calls, in the order in which they are to be served."""

    def __init__(self, quantum_tokens: int) -> None:
        self._quantum = quantum_tokens
        self._flows: dict[TenantId, deque[Wait]] = {}  # in the order of turns
        self._saved: dict[TenantId, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Wait]:
        for flow in self._flows.values():
            yield from flow

    def push(self, wait: Wait) -> None:
        """Put a call behind those of its tenant."""
        tenant = wait.ask.tenant
        flow = self._flows.get(tenant)
        if flow is None:
            flow = self._flows[tenant] = deque()
            self._saved[tenant] = self._quantum
        flow.append(wait)
        self._size += 1

    def head(self) -> Wait | None:
        """Return whose turn it is; the same until `remove`. None: nobody waits."""
        if not self._size:
            return None
        if len(self._flows) == 1:
            return next(iter(self._flows.values()))[0]
        while True:
            for _ in range(len(self._flows)):
                tenant, flow = next(iter(self._flows.items()))
                if self._saved[tenant] >= cost(flow[0].ask):
                    return flow[0]
                self._end_turn(tenant)
            self._save_up()

    def remove(self, wait: Wait, *, is_served: bool) -> None:
        """Take a call out; one that is served pays for it with its tenant's turn."""
        tenant = wait.ask.tenant
        flow = self._flows[tenant]
        flow.remove(wait)
        self._size -= 1
        if is_served:
            self._saved[tenant] -= cost(wait.ask)
        if not flow:
            del self._flows[tenant], self._saved[tenant]

    def _end_turn(self, tenant: TenantId) -> None:
        """Move a tenant behind the others; its next turn is worth a quantum more."""
        self._flows[tenant] = self._flows.pop(tenant)
        self._saved[tenant] += self._quantum

    def _save_up(self) -> None:
        """Give every tenant the rounds that it takes until one can pay."""
        short = min(cost(flow[0].ask) - self._saved[tenant] for tenant, flow in self._flows.items())
        if short > self._quantum:
            rounds = short // self._quantum
            for tenant in self._saved:
                self._saved[tenant] += rounds * self._quantum


def cost(ask: Ask) -> int:
    """Return what a call costs in turns. Unit: token."""
    return ask.input_tokens + ask.output_tokens
