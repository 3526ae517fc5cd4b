"""What does it cost to wait? One call with two waits: callbacks, a strand, an asyncio Task.

    python bench/waiting.py        # prints microseconds a call, the best of five rounds

Each way does the same: begin, wait, take one step, wait, end. The first waits are resumed by
plain calls, as a connection's `data_received` would. Figures of one run compare with each other.
"""

import asyncio
import time
import types
from collections.abc import Callable, Generator

import uvloop

from arkway.strand import Strand

CALLS, ROUNDS = 20_000, 5


class ByCallbacks:
    """State kept by hand, one method a step."""

    def __init__(self) -> None:
        self.steps = 0

    def begin(self) -> None:
        self.then = self.middle

    def middle(self) -> None:
        self.steps += 1
        self.then = self.end

    def end(self) -> None:
        self.steps += 1

    def resume(self) -> None:
        self.then()


@types.coroutine
def _wait() -> Generator[None, None, None]:
    yield


class ByStrand(Strand):
    """The same steps as a coroutine on a strand."""

    steps: int = 0

    def on_end(self, error: BaseException | None) -> None:
        assert error is None

    async def body(self) -> None:
        await _wait()
        self.steps += 1
        await _wait()
        self.steps += 1


def callbacks() -> None:
    for _ in range(CALLS):
        call = ByCallbacks()
        call.begin()
        call.resume()
        call.resume()
        assert call.steps == 2


def strands() -> None:
    for _ in range(CALLS):
        call = ByStrand()
        call.steps = call.body().__await__()
        call.resume()
        call.resume()
        call.resume()
        assert call.steps == 2


async def tasks() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(CALLS):
        waits = [loop.create_future(), loop.create_future()]
        steps = 0

        async def body(waits: list[asyncio.Future[None]] = waits) -> None:
            nonlocal steps
            await waits[0]
            steps += 1
            await waits[1]
            steps += 1

        task = loop.create_task(body())
        await asyncio.sleep(0)
        waits[0].set_result(None)
        await asyncio.sleep(0)
        waits[1].set_result(None)
        await task
        assert steps == 2


def best(run: Callable[[], None]) -> float:
    """Return microseconds a call, of the best round."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times) / CALLS * 1e6


def main() -> None:
    print(f"callbacks  {best(callbacks):6.2f} us a call")
    print(f"strand     {best(strands):6.2f} us a call")
    print(f"task       {best(lambda: uvloop.run(tasks())):6.2f} us a call")


if __name__ == "__main__":
    main()
